import FileSystemCore
import Glibc
import Linux

/// A client of one daemon.
///
/// Each question has a connection of its own. Blocks its thread while it waits.
struct ControlClient {
    /// How long a daemon may think about a question that needs no storage.
    private static let patience = Duration.seconds(60)

    /// Where the daemon is.
    let target: DaemonTarget

    /// The client for the file system that serves `path`.
    init(for path: BytePath) throws(CommandError) {
        let mounts: MountTable
        do throws(SystemError) {
            mounts = try MountTable.current()
        } catch {
            throw .failed("\(error)")
        }
        do throws(ControlFailure) {
            target = try DaemonFinder(mounts: mounts).target(for: path)
        } catch {
            throw .control(error)
        }
    }

    init(target: DaemonTarget) {
        self.target = target
    }

    /// How the file system is doing.
    func status() throws(ControlFailure) -> StatusReport {
        var report: StatusReport?
        try ask(.status, patience: Self.patience) { answer in
            if case .status(let value) = answer { report = value }
        }
        guard let report else { throw .incomprehensible }
        return report
    }

    /// The row of the file that the target's path names.
    func info() throws(ControlFailure) -> ResourceReport {
        var report: ResourceReport?
        try ask(.info(path: target.relativePath), patience: Self.patience) { answer in
            if case .info(let value) = answer { report = value }
        }
        guard let report else { throw .incomprehensible }
        return report
    }

    /// The rows whose storages do not match, as they come, until `receive` returns false.
    func leftovers(_ receive: (LeftoverReport) -> Bool) throws(ControlFailure) {
        try askUntilEnough(.leftovers, patience: Self.patience) { answer in
            guard case .leftover(let row) = answer else { return true }
            return receive(row)
        }
    }

    /// Finishes what the leftovers need; takes as long as the storages take.
    ///
    /// With `dryRun` nothing is done, and `receive` is given what would be, as it comes.
    func clean(dryRun: Bool, _ receive: (CleanReport.Step) -> Void) throws(ControlFailure) -> CleanReport {
        var report: CleanReport?
        try ask(.clean(dryRun: dryRun), patience: nil) { answer in
            if case .step(let step) = answer { receive(step) }
            if case .cleaned(let value) = answer { report = value }
        }
        guard let report else { throw .incomprehensible }
        return report
    }

    /// What the journal in the backup can be restored to, oldest first; with `isNew` after a snapshot of now.
    func snapshots(isNew: Bool) throws(ControlFailure) -> [SnapshotReport] {
        var reports: [SnapshotReport] = []
        try ask(.snapshots(isNew: isNew), patience: nil) { answer in
            if case .snapshot(let report) = answer { reports.append(report) }
        }
        return reports
    }

    /// Compares the bucket with the catalogue; `receive` is given what is not as it should be, as it comes.
    func objects(_ receive: (ObjectReport.Finding) -> Void) throws(ControlFailure) -> ObjectReport {
        var report: ObjectReport?
        try ask(.objects, patience: nil) { answer in
            if case .finding(let finding) = answer { receive(finding) }
            if case .objects(let value) = answer { report = value }
        }
        guard let report else { throw .incomprehensible }
        return report
    }

    /// What was set aside, as it comes, until `receive` returns false.
    func aside(_ receive: (AsideReport) -> Bool) throws(ControlFailure) {
        try askUntilEnough(.aside, patience: Self.patience) { answer in
            guard case .aside(let row) = answer else { return true }
            return receive(row)
        }
    }

    /// Brings one of them back; a directory may take a while.
    func restoreAside(_ id: Int64) throws(ControlFailure) -> AsideReport {
        var report: AsideReport?
        try ask(.restoreAside(id: id), patience: nil) { answer in
            if case .aside(let value) = answer { report = value }
        }
        guard let report else { throw .incomprehensible }
        return report
    }

    /// Removes one of them for good.
    func discardAside(_ id: Int64) throws(ControlFailure) { try ask(.discardAside(id: id), patience: nil) { _ in } }

    /// Waits until the backup storage holds everything.
    func sync(progress: (SyncProgress) -> Void) throws(ControlFailure) {
        try ask(.sync, patience: nil) { answer in
            if case .progress(let value) = answer { progress(value) }
        }
    }

    /// The daemon's process, as the socket names it; nil if it is not visible from here.
    func daemonProcess() throws(ControlFailure) -> Int32? {
        let peer = try connect().peer
        return peer.process > 0 ? peer.process : nil
    }

    /// Asks one question; every line but the last is given to `receive`.
    func ask(
        _ request: ControlRequest, patience: Duration?, _ receive: (ControlAnswer) -> Void
    ) throws(ControlFailure) {
        try askUntilEnough(request, patience: patience) { answer in
            receive(answer)
            return true
        }
    }

    /// The same, and goes away as soon as `receive` returns false.
    private func askUntilEnough(
        _ request: ControlRequest, patience: Duration?, _ receive: (ControlAnswer) -> Bool
    ) throws(ControlFailure) {
        let channel = LineChannel(try connect().socket)
        guard let line = try? ReportCoding.encode(request) else { throw .incomprehensible }
        do throws(LineChannel.Failure) {
            try channel.write(line: line)
        } catch {
            // A daemon that refuses says so at once and closes: its line may be there to read.
            guard error == .closed else { throw .interrupted(error) }
        }
        while true {
            let answer = try nextAnswer(channel, patience)
            switch answer {
            case .done: return
            case .error(let line): throw .refused(line)
            case .status, .info, .leftover, .aside, .step, .cleaned, .finding, .objects, .progress,
                .snapshot:
                guard receive(answer) else { return }
            }
        }
    }

    private func nextAnswer(_ channel: LineChannel, _ patience: Duration?) throws(ControlFailure) -> ControlAnswer {
        let line: [UInt8]
        do throws(LineChannel.Failure) {
            line = try channel.readLine(until: patience.map { .now + $0 })
        } catch {
            throw .interrupted(error)
        }
        guard let answer = try? ReportCoding.decode(ControlAnswer.self, from: line) else { throw .incomprehensible }
        return answer
    }

    /// A connection to the first address that has a daemon.
    private func connect() throws(ControlFailure) -> (socket: Descriptor, peer: ControlSocket.Peer) {
        var denied = false
        var other: SystemError?
        for address in target.addresses {
            let socket: Descriptor
            let peer: ControlSocket.Peer
            do throws(SystemError) {
                switch address {
                case .socket(let path): socket = try ControlSocket.connect(to: path)
                case .abstract(let name): socket = try ControlSocket.connectAbstract(address: name)
                case .stateDirectory(let path): socket = try ControlSocket.connect(inDirectory: path)
                }
                peer = try ControlSocket.peer(of: socket)
            } catch {
                switch error.code {
                case EACCES, EPERM: denied = true
                case ENOENT, ENOTDIR, ECONNREFUSED: break
                default: other = error
                }
                continue
            }
            // Root may ask anybody's daemon; everybody else only root's and their own.
            guard geteuid() == 0 || peer.user == 0 || peer.user == geteuid() else {
                throw .foreignDaemon(uid: peer.user)
            }
            return (socket, peer)
        }
        if let other { throw .unreachable(other) }
        let shown = target.mountPoint ?? target.main ?? BytePath(target.relativePath)
        if denied { throw .notPermitted(shown) }
        if let mountPoint = target.mountPoint { throw .deadMount(mountPoint) }
        throw .notRunning(main: target.main ?? shown)
    }
}
