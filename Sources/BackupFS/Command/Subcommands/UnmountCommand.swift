import ArgumentParser
import FileSystemCore
import Glibc
import Linux

/// `backupfs unmount MOUNTPOINT`.
struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unmount",
        abstract: "Wait until backup storage holds everything, then unmount.",
        discussion: "If backup storage is down it says how much is missing there and stays mounted.")

    /// How long a daemon may take to end after its mount has gone.
    private static let patience = Duration.seconds(120)

    @Argument(help: ArgumentHelp("Where the file system is mounted.", valueName: "mountpoint"))
    var mountPoint: BytePath

    @Flag(help: "Unmount without waiting; what is missing in backup is uploaded at the next mount.")
    var force = false

    func run() throws {
        let entry = try mountEntry()
        var daemon: Descriptor?
        do throws(CommandError) {
            let client = try ControlClient(for: entry.mountPoint)
            daemon = try process(of: client)
            if !force { try SyncCommand.wait(client) }
        } catch .control(.deadMount) {
            // The daemon has gone: there is nobody to wait for, and the mount is in the way.
        } catch .control(.refused(let line)) {
            throw CommandError.failed(
                "\(entry.mountPoint) stays mounted: \(line); try again later, or use --force and mount it again later")
        }
        try unmount(entry.mountPoint)
        try waitForEnd(of: daemon)
    }

    /// The mount that is meant: at the path, whether its daemon lives or not.
    private func mountEntry() throws(CommandError) -> MountTable.Entry {
        let mounts: MountTable
        do throws(SystemError) {
            mounts = try MountTable.current()
        } catch {
            throw .failed("\(error)")
        }
        // A dead mount cannot be resolved itself, the directory that holds it can.
        let absolute = mountPoint.absolute()
        let resolved =
            (try? absolute.resolved())
            ?? (try? absolute.parent.resolved()).map { $0.appending(absolute.components.suffix(1)) } ?? absolute
        guard let entry = mounts.entry(at: resolved) else {
            throw .failed(
                "\(mountPoint) is not a mount point: \"backupfs status\" says where a main directory is mounted")
        }
        guard entry.isBackupFS else { throw .failed("\(mountPoint) is not a BackupFS mount, it is \(entry.type)") }
        return entry
    }

    /// A descriptor that tells when the daemon has ended; nil if its process cannot be seen.
    private func process(of client: ControlClient) throws(CommandError) -> Descriptor? {
        do throws(ControlFailure) {
            guard let process = try client.daemonProcess() else { return nil }
            return try? ChildProcess.handle(of: process)
        } catch {
            throw .control(error)
        }
    }

    private func unmount(_ path: BytePath) throws(CommandError) {
        do throws(SystemError) {
            if geteuid() == 0 {
                try path.withCString { path throws(SystemError) in try unmountFileSystem(path) }
            } else {
                try Unprivileged.unmount(path)
            }
        } catch {
            throw .failed(
                error.code == EBUSY
                    ? "\(path) is in use: end the programs that use it (\"fuser -vm \(path)\" names them), then try again"
                    : "\(path) could not be unmounted (\(error))")
        }
    }

    private func waitForEnd(of daemon: Descriptor?) throws(CommandError) {
        guard let daemon else { return }
        if (try? daemon.waitUntilReadable(until: .now + Self.patience)) == true { return }
        throw .failed(
            "unmounted, but the daemon still works after \(Self.patience.components.seconds) s: look at its log")
    }
}

/// Unmounting for users who are not root: fusermount3(1) may.
private enum Unprivileged {
    static func unmount(_ path: BytePath) throws(SystemError) {
        let words = [Array("fusermount3".utf8), Array("-u".utf8), Array("--".utf8), path.bytes]
        let child = try ChildProcess.start(.named("fusermount3"), words)
        let status = child.wait()
        // It has said why on standard error; nearly always somebody uses the mount.
        guard status == 0 else { throw SystemError("fusermount3", EBUSY) }
    }
}
