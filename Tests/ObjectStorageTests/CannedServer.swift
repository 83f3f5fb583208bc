// A real HTTP server on loopback that gives canned answers, to see what the S3 store makes of them.

import Foundation
import Glibc
import Synchronization

/// Answers each request as it is told; one thread a connection.
final class CannedServer: Sendable {
    enum Answer: Sendable {
        /// A status with headers and a body.
        case reply(Int, headers: [String: String] = [:], body: [UInt8] = [])
        /// A Content-Length that promises more than comes, then the end of the connection.
        case truncated(promised: Int, body: [UInt8])
        /// A body without any length: it ends with the connection.
        case unframed(body: [UInt8])
        /// A Content-Length that promises more than comes, then nothing more.
        case stall(promised: Int, body: [UInt8])
        /// No answer ever.
        case hang
        /// The connection is reset in place of an answer.
        case reset
    }

    struct Request: Sendable {
        var line: String
        var headers: [String: String]
        var body: [UInt8]
        /// The number of its connection; the first is 1.
        var connection = 0

        var method: String { String(line.prefix { $0 != " " }) }
        /// Path and query as sent.
        var target: String { String(line.split(separator: " ").dropFirst().first ?? "") }
    }

    private struct State {
        var requests: [Request] = []
        var open: Set<Int32> = []
        var connections = 0
        var isStopped = false
        /// The listener's number may be somebody else's by now.
        var isClosed = false
    }

    let port: UInt16
    private let listener: Int32
    private let answer: @Sendable (Request) -> Answer
    private let state = Mutex(State())

    /// `isSixth`: on ::1 instead of 127.0.0.1.
    init(isSixth: Bool = false, _ answer: @escaping @Sendable (Request) -> Answer) throws {
        self.answer = answer
        (listener, port) = try isSixth ? Self.listenSixth() : Self.listen()
        let thread = Thread { [self] in acceptAll() }
        thread.start()
    }

    /// Ends the server: open connections are cut.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
            if !state.isClosed { shutdown(listener, Int32(SHUT_RDWR)) }
        }
    }

    /// How many connections there were in all.
    var connections: Int { state.withLock { $0.connections } }

    var requests: [Request] { state.withLock { $0.requests } }
    var endpoint: String { "http://127.0.0.1:\(port)" }

    /// A port that nobody listens on.
    static func unusedPort() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    /// A descriptor that is connected, or still trying.
    static func connect(to port: UInt16) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        var address = loopback(port)
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return descriptor
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = port.bigEndian
        return address
    }

    private static func listenSixth() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) | Glibc.listen(descriptor, 16)
                    | getsockname(descriptor, pointer, &length)
            }
        }
        guard descriptor >= 0, result == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        return (descriptor, UInt16(bigEndian: address.sin6_port))
    }

    /// Listens on a free port; `receiveBuffer` is in bytes, 0 for the kernel's choice.
    static func listen(
        backlog: Int32 = 1024, receiveBuffer: Int32 = 0
    ) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if receiveBuffer > 0 {
            var size = receiveBuffer
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) | Glibc.listen(descriptor, backlog)
                    | getsockname(descriptor, pointer, &length)
            }
        }
        guard descriptor >= 0, result == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private func acceptAll() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0, errno == EINTR || errno == ECONNABORTED { continue }
            if connection < 0, errno == EMFILE || errno == ENFILE {
                // All tests of a run have one table of descriptors.
                usleep(10_000)
                continue
            }
            guard connection >= 0 else { break }
            let (isStopped, number) = state.withLock { state in
                if !state.isStopped { state.open.insert(connection) }
                state.connections += 1
                return (state.isStopped, state.connections)
            }
            if isStopped {
                close(connection)
                break
            }
            let thread = Thread { [self] in
                while serve(connection, number) {}
                _ = state.withLock { $0.open.remove(connection) }
                close(connection)
            }
            thread.start()
        }
        state.withLock { state in
            state.isClosed = true
            close(listener)
        }
    }

    /// Serves one request; false when the connection is to end.
    private func serve(_ connection: Int32, _ number: Int) -> Bool {
        guard var request = receive(connection) else { return false }
        request.connection = number
        state.withLock { $0.requests.append(request) }
        switch answer(request) {
        case .reply(let status, let headers, let body):
            var head = "HTTP/1.1 \(status) Canned\r\n"
            var headers = headers
            if headers["Content-Length"] == nil { headers["Content-Length"] = "\(body.count)" }
            for (name, value) in headers { head += "\(name): \(value)\r\n" }
            let isHead = request.method == "HEAD"
            return send(connection, Array("\(head)\r\n".utf8) + (isHead ? [] : body))
        case .truncated(let promised, let body):
            _ = send(connection, Array("HTTP/1.1 200 OK\r\nContent-Length: \(promised)\r\n\r\n".utf8) + body)
            return false
        case .unframed(let body):
            _ = send(connection, Array("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".utf8) + body)
            return false
        case .stall(let promised, let body):
            _ = send(connection, Array("HTTP/1.1 200 OK\r\nContent-Length: \(promised)\r\n\r\n".utf8) + body)
            fallthrough
        case .hang:
            // Until the client or stop() cuts the connection.
            var byte: UInt8 = 0
            while recv(connection, &byte, 1, 0) > 0 {}
            return false
        case .reset:
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            return false
        }
    }

    private func receive(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while bytes.suffix(4) != end[...] {
            var byte: UInt8 = 0
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            bytes.append(byte)
        }
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        var request = Request(line: lines[0], headers: [:], body: [])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            request.headers[line[..<colon].lowercased()] = value
        }
        let length = request.headers["content-length"].flatMap { Int($0) } ?? 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        while request.body.count < length {
            let count = recv(connection, &buffer, min(buffer.count, length - request.body.count), 0)
            guard count > 0 else { return nil }
            request.body += buffer[..<count]
        }
        return request
    }

    private func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    connection, $0.baseAddress?.advanced(by: done), bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
