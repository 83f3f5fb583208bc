// What can be known to be wrong before anything is opened, made or mounted.

import FileSystemCore
import Glibc
import Linux

/// The checks of a mount that need neither backup storage nor the catalogue.
struct Preflight: Sendable {
    /// The main directory, resolved.
    let main: BytePath
    /// The mount point, resolved; the main directory itself if the mount is to cover it.
    let mountPoint: BytePath

    /// Resolves a main directory, wherever it is to be mounted; refuses one that cannot be used.
    static func main(_ main: BytePath, mounts: MountTable) throws(PreflightFailure) -> BytePath {
        let resolved = try directory(main, missing: .mainMissing(main), other: .mainNotDirectory(main))
        if let entry = mounts.entry(containing: resolved), entry.isBackupFS {
            throw isDead(entry.mountPoint) ? .deadMount(entry.mountPoint) : .mainIsMounted(main)
        }
        if let entry = mounts.entry(at: resolved), entry.isFuse, isDead(resolved) { throw .deadMount(resolved) }
        return resolved
    }

    /// Resolves both directories and refuses those that cannot be used together.
    init(main: BytePath, mountPoint: BytePath, mounts: MountTable) throws(PreflightFailure) {
        self.main = try Self.main(main, mounts: mounts)
        self.mountPoint = try Self.directory(
            mountPoint, missing: .mountPointMissing(mountPoint), other: .mountPointNotDirectory(mountPoint))
        if let below = self.mountPoint.components(below: self.main), !below.isEmpty {
            throw .mountPointInsideMain(mountPoint: mountPoint, main: main)
        }
        if let below = self.main.components(below: self.mountPoint), !below.isEmpty {
            throw .mainInsideMountPoint(main: main, mountPoint: mountPoint)
        }
        if let entry = mounts.entry(at: self.mountPoint), !mayCover(entry) {
            throw entry.isFuse && Self.isDead(self.mountPoint)
                ? .deadMount(self.mountPoint) : .mountPointBusy(self.mountPoint, type: entry.type)
        }
    }

    /// The main directory's path for the rooms that take text.
    var mainText: String {
        get throws(PreflightFailure) { try Self.text(main) }
    }

    /// The mount point's path for the rooms that take text.
    var mountPointText: String {
        get throws(PreflightFailure) { try Self.text(mountPoint) }
    }

    /// Whether the main directory holds a catalogue; refuses one that was mounted before and lost it.
    func hasCatalogue(remembered: BackupSettings?) throws(PreflightFailure) -> Bool {
        let catalogue = main.appending(ControlProtocol.stateDirectoryName).appending(ControlProtocol.catalogueName)
        do throws(SystemError) {
            _ = try catalogue.status()
            return true
        } catch {
            guard error.code == ENOENT || error.code == ENOTDIR else { throw .notUsable(catalogue, error) }
            guard remembered == nil else { throw .catalogueMissing(main: main) }
            return false
        }
    }

    /// Refuses a directory as backup storage that lies in main storage or in the mount, or holds one of them.
    func checkBackup(_ url: String) throws(PreflightFailure) {
        guard url.hasPrefix("file://") else { return }
        let backup = BytePath(String(url.dropFirst("file://".count))).resolvedAsFarAsItExists()
        for other in [main, mountPoint]
        where backup.components(below: other) != nil || other.components(below: backup) != nil {
            throw .backupOverlaps(backup: backup, other: other)
        }
    }

    /// Refuses a machine without a usable FUSE device.
    static func checkFuse(device: BytePath = BytePath("/dev/fuse")) throws(PreflightFailure) {
        do throws(SystemError) {
            _ = try Descriptor(taking: device.withCString { open($0, O_RDWR | O_CLOEXEC) }, from: "open")
        } catch {
            throw .noFuse(error)
        }
    }

    /// Whether this mount may lie on what is mounted at the mount point already: an automounter's trigger, or the disk
    /// that holds the main directory, which the mount covers.
    private func mayCover(_ entry: MountTable.Entry) -> Bool {
        entry.type == "autofs" || (main == mountPoint && !entry.isFuse)
    }

    /// Whether the daemon of a FUSE mount has gone; the kernel's caches may still answer other questions.
    private static func isDead(_ mountPoint: BytePath) -> Bool {
        var answer = statvfs()
        return mountPoint.withCString { statvfs($0, &answer) } != 0 && errno == ENOTCONN
    }

    private static func directory(
        _ path: BytePath, missing: PreflightFailure, other: PreflightFailure
    ) throws(PreflightFailure) -> BytePath {
        do throws(SystemError) {
            let resolved = try path.resolved()
            guard try resolved.status().isDirectory else { throw SystemError("stat", ENOTDIR) }
            return resolved
        } catch {
            switch error.code {
            case ENOENT: throw missing
            case ENOTDIR: throw other
            case ENOTCONN: throw .deadMount(path)
            default: throw .notUsable(path, error)
            }
        }
    }

    private static func text(_ path: BytePath) throws(PreflightFailure) -> String {
        guard let text = String(validating: path.bytes, as: UTF8.self) else {
            throw .notUsable(path, SystemError("reading the name as UTF-8", EILSEQ))
        }
        return text
    }
}

extension BytePath {
    /// The path with its existing part resolved and the names behind it as they are.
    fileprivate func resolvedAsFarAsItExists() -> BytePath {
        var current = absolute()
        var rest: [[UInt8]] = []
        while true {
            if let resolved = try? current.resolved() { return resolved.appending(rest) }
            guard let last = current.components.last else { return self }
            rest.insert(last, at: 0)
            current = current.parent
        }
    }
}
