import FileSystemCore
import Glibc
import Linux

/// Lines over a connected socket, bounded in length and time.
///
/// Blocks its thread; used by one thread at a time, never by one of the cooperative pool.
final class LineChannel {
    /// Why no line could be read or written.
    enum Failure: Error, Equatable {
        /// The other side closed, or the connection broke.
        case closed
        /// A line is longer than the limit.
        case tooLong
        /// The other side did not send or take anything in time.
        case timedOut
    }

    /// The connected socket.
    let socket: Descriptor
    private var received: [UInt8] = []

    /// A channel over `socket`; a write that the other side does not take ends after `writeTimeout`.
    init(_ socket: Descriptor, writeTimeout: Duration = .seconds(10)) {
        self.socket = socket
        var limit = timeval(tv_sec: Int(writeTimeout.components.seconds), tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// The next line without its line feed; waits until `deadline`, for ever without one.
    func readLine(until deadline: ContinuousClock.Instant?) throws(Failure) -> [UInt8] {
        var searched = 0
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                guard line.count < ControlProtocol.lineLimit else { throw .tooLong }
                return line
            }
            searched = received.count
            guard searched < ControlProtocol.lineLimit else { throw .tooLong }
            try receive(until: deadline)
        }
    }

    /// Sends one line; the line feed is added.
    func write(line: [UInt8]) throws(Failure) {
        let bytes = line + [UInt8(ascii: "\n")]
        guard bytes.count <= ControlProtocol.lineLimit else { throw .tooLong }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(socket.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw errno == EAGAIN ? .timedOut : .closed }
            sent += count
        }
    }

    private func receive(until deadline: ContinuousClock.Instant?) throws(Failure) {
        let isReadable: Bool
        do throws(SystemError) {
            isReadable = try socket.waitUntilReadable(until: deadline)
        } catch {
            throw .closed
        }
        guard isReadable else { throw .timedOut }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(socket.number, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .closed }
            received += buffer[..<count]
            return
        }
    }
}
