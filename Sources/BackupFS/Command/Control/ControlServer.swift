import Dispatch
import FileSystemCore
import Glibc
import Linux
import Logging
import Synchronization

/// The daemon's end of the control socket.
///
/// One thread accepts; each connection has a thread of its own while it lasts, at most `connectionLimit` at a time. Only
/// the daemon's own user and root are answered.
final class ControlServer: Sendable {
    /// How many connections are served at a time.
    static let connectionLimit = 16

    /// Guards the listening sockets, none after `stop`; taken alone.
    private let listeners: Mutex<[Descriptor]>
    private let directory: Int32
    private let fileSystem: any FileSystemOperator
    private let logger: Logger
    private let requestTimeout: Duration
    private let stopping: WakeEvent
    private let threads = DispatchGroup()
    private let connections = Atomic<Int>(0)

    /// Listens at once in `directory`; nobody is answered before `start`.
    ///
    /// `directory` is an open descriptor of the state directory that stays open as long as the server lives. A client
    /// that sends no request within `requestTimeout` is let go.
    init(
        directory: Int32, fileSystem: any FileSystemOperator, logger: Logger, requestTimeout: Duration = .seconds(10)
    ) throws(SystemError) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.logger = logger
        self.requestTimeout = requestTimeout
        stopping = try WakeEvent()
        var listeners = [try ControlSocket.listen(in: directory, backlog: Int32(Self.connectionLimit))]
        do throws(SystemError) {
            listeners.append(
                try ControlSocket.listenAbstract(
                    address: ControlSocket.address(directory: directory), backlog: Int32(Self.connectionLimit)))
        } catch {
            logger.warning("no abstract control socket", metadata: ["error": "\(error)"])
        }
        self.listeners = Mutex(listeners)
    }

    /// Starts to answer.
    func start() throws(SystemError) {
        threads.enter()
        do {
            try startThread { [self] in
                acceptConnections()
                threads.leave()
            }
        } catch {
            threads.leave()
            throw error
        }
    }

    /// Ends every connection, removes the socket, and waits a moment for the threads to end.
    func stop() {
        stopping.signal()
        _ = threads.wait(timeout: .now() + .seconds(2))
        listeners.withLock { $0 = [] }
        unlinkat(directory, ControlProtocol.socketName, 0)
    }

    private func acceptConnections() {
        let listeners = listeners.withLock { $0 }
        defer { withExtendedLifetime(listeners) {} }
        var watched = ([stopping.descriptor] + listeners).map { descriptor in
            pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        }
        while true {
            let ready = poll(&watched, nfds_t(watched.count), -1)
            if ready < 0, errno != EINTR { return }
            if watched[0].revents != 0 { return }
            for one in watched.dropFirst() where ready > 0 && one.revents != 0 {
                do throws(SystemError) {
                    try admit(try Descriptor(taking: accept(one.fd, nil, nil), from: "accept"))
                } catch {
                    logger.warning("control connection not accepted", metadata: ["error": "\(error)"])
                    // Without descriptors or threads to give, the listener stays readable: let others finish first.
                    _ = poll(&watched, 1, 100)
                }
            }
        }
    }

    private func admit(_ socket: Descriptor) throws(SystemError) {
        _ = fcntl(socket.number, F_SETFD, FD_CLOEXEC)
        let peer = try ControlSocket.peer(of: socket)
        guard peer.user == 0 || peer.user == geteuid() else {
            logger.warning("control connection of another user refused", metadata: ["uid": "\(peer.user)"])
            return refuse(socket, "this mount belongs to another user: ask as that user or as root")
        }
        guard connections.load(ordering: .relaxed) < Self.connectionLimit else {
            return refuse(socket, "the mount answers \(Self.connectionLimit) commands already: try again later")
        }
        connections.add(1, ordering: .relaxed)
        threads.enter()
        do {
            try startThread { [self] in
                ControlConversation(
                    LineChannel(socket), fileSystem: fileSystem, stopping: stopping, requestTimeout: requestTimeout
                ).run()
                connections.subtract(1, ordering: .relaxed)
                threads.leave()
            }
        } catch {
            connections.subtract(1, ordering: .relaxed)
            threads.leave()
            throw error
        }
    }

    /// Sends one error line without waiting: a fresh socket's buffer takes it.
    private func refuse(_ socket: Descriptor, _ line: String) {
        guard let json = try? ReportCoding.encode(ControlAnswer.error(line)) else { return }
        try? LineChannel(socket).write(line: json)
    }
}
