import Foundation
import Glibc

/// A TCP port of loopback where connections stand in the kernel only: nobody accepts them, nobody reads.
final class SilentListener: Sendable {
    private let listener: Int32
    private let fillers: [Int32]
    let endpoint: String

    /// `isFull`: the kernel accepts no further connection either.
    init(isFull: Bool = false) throws {
        let (listener, port) = try CannedServer.listen(backlog: isFull ? 0 : 16, receiveBuffer: 128 << 10)
        self.listener = listener
        endpoint = "http://127.0.0.1:\(port)"
        fillers = isFull ? (0..<8).map { _ in CannedServer.connect(to: port) } : []
    }

    deinit {
        for filler in fillers { close(filler) }
        close(listener)
    }

    /// Accepts one connection, reads its request piece by piece with a pause before each, and answers 200.
    func answerSlowly(pause: Duration, piece: Int) {
        // Kept as long as it waits: the number of a closed listener is soon another one's.
        Thread { [self] in
            let connection = accept(listener, nil, nil)
            defer { close(connection) }
            var buffer = [UInt8](repeating: 0, count: piece)
            var head: [UInt8] = []
            var left: Int?
            while left != 0 {
                usleep(UInt32(pause / .microseconds(1)))
                let count = recv(connection, &buffer, min(buffer.count, left ?? buffer.count), 0)
                guard count > 0 else { return }
                if let known = left {
                    left = known - count
                    continue
                }
                head += buffer[..<count]
                let text = String(decoding: head, as: UTF8.self)
                guard let end = text.range(of: "\r\n\r\n"),
                    let length = text.firstMatch(of: /[Cc]ontent-[Ll]ength: (\d+)/)
                else { continue }
                left = (Int(length.1) ?? 0) - text[end.upperBound...].utf8.count
            }
            let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
        }.start()
    }
}
