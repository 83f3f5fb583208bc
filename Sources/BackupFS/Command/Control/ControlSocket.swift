// A socket's address holds 107 bytes and a main directory's path may be longer, or covered by the mount itself. So both
// sides reach the socket through an open descriptor of the state directory: /proc/self/fd/N/control.sock.
//
// A daemon is not dumpable, so its /proc/PID/fd opens to CAP_SYS_PTRACE only: not to its own user, and not to root in many
// containers. For them the daemon listens at an abstract address (unix(7)) as well, named after that path. Anybody could
// take such a name, so a client accepts only the very process that the path names.

import FileSystemCore
import Glibc
import Linux

/// The control socket's calls.
enum ControlSocket {
    /// Who is at the other end, at the time it connected or listened (SO_PEERCRED, unix(7)).
    struct Peer: Sendable, Equatable {
        /// The process, 0 if it lives in another PID namespace.
        var process: Int32
        /// Its effective user.
        var user: UInt32
    }

    /// The address that other processes find the socket at while this one keeps `directory` open.
    static func address(directory: Int32) -> String {
        "/proc/\(getpid())/fd/\(directory)/\(ControlProtocol.socketName)"
    }

    /// A listening socket in `directory` that only this user may connect to; what had its name before is removed.
    ///
    /// The caller holds the catalogue's lock, so no other daemon's socket can be meant.
    static func listen(in directory: Int32, backlog: Int32) throws(SystemError) -> Descriptor {
        if unlinkat(directory, ControlProtocol.socketName, 0) != 0, errno != ENOENT { throw SystemError("unlink") }
        let listener = try makeSocket()
        try withAddress(BytePath("/proc/self/fd/\(directory)/\(ControlProtocol.socketName)"), "bind") {
            bind(listener.number, $0, $1)
        }
        guard fchmodat(directory, ControlProtocol.socketName, 0o600, 0) == 0 else { throw SystemError("fchmodat") }
        guard Glibc.listen(listener.number, backlog) == 0 else { throw SystemError("listen") }
        return listener
    }

    /// A second listening socket for the same daemon, at the abstract address named after `address`.
    static func listenAbstract(address: String, backlog: Int32) throws(SystemError) -> Descriptor {
        let listener = try makeSocket()
        try withAddress(abstractName(address), "bind") { bind(listener.number, $0, $1) }
        guard Glibc.listen(listener.number, backlog) == 0 else { throw SystemError("listen") }
        return listener
    }

    /// A connection to the abstract address of the daemon that `address` names: `/proc/PID/fd/N/control.sock`.
    static func connectAbstract(address: String) throws(SystemError) -> Descriptor {
        let socket = try makeSocket()
        try withAddress(abstractName(address), "connect") { Glibc.connect(socket.number, $0, $1) }
        let process = address.split(separator: "/").dropFirst().first.flatMap { Int32($0) }
        guard try peer(of: socket).process == process else { throw SystemError("connect", EACCES) }
        return socket
    }

    /// An abstract address begins with a zero byte.
    private static func abstractName(_ address: String) -> BytePath {
        BytePath([0] + Array("backupfs:\(address)".utf8))
    }

    /// A connection to the socket at `path`.
    static func connect(to path: BytePath) throws(SystemError) -> Descriptor {
        let socket = try makeSocket()
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try withAddress(path, "connect") { Glibc.connect(socket.number, $0, $1) }
        return socket
    }

    /// A connection to the socket in a state directory, however long its path is.
    static func connect(inDirectory path: BytePath) throws(SystemError) -> Descriptor {
        let flags = openForPathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let directory = try Descriptor(taking: path.withCString { open($0, flags) }, from: "open")
        return try withExtendedLifetime(directory) { () throws(SystemError) in
            try connect(to: BytePath("/proc/self/fd/\(directory.number)/\(ControlProtocol.socketName)"))
        }
    }

    /// Who is at the other end of a connected socket.
    static func peer(of socket: Descriptor) throws(SystemError) -> Peer {
        let (process, user) = try Linux.peer(of: socket)
        return Peer(process: process, user: user)
    }

    private static func makeSocket() throws(SystemError) -> Descriptor {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        return try Descriptor(taking: socket(AF_UNIX, kind, 0), from: "socket")
    }

    private static func withAddress(
        _ path: BytePath, _ call: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard path.bytes.count < field.count else { return false }
            field.copyBytes(from: path.bytes)
            return true
        }
        guard fits else { throw SystemError(call, ENAMETOOLONG) }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // An abstract address ends where its length says, others with a zero byte.
                body($0, socklen_t(MemoryLayout<sa_family_t>.size + path.bytes.count + (path.bytes.first == 0 ? 0 : 1)))
            }
        }
        guard result == 0 else { throw SystemError(call) }
    }
}
