import FileSystemCore
import Glibc
import Linux
import ObjectStorage

/// Why a mount is refused before anything was mounted: what is wrong, and what to do.
enum PreflightFailure: Error, Equatable {
    /// MAIN does not exist.
    case mainMissing(BytePath)
    /// MAIN is not a directory.
    case mainNotDirectory(BytePath)
    /// MAIN or the mount point cannot be used; the errno says why.
    case notUsable(BytePath, SystemError)
    /// MAIN lies in a BackupFS mount.
    case mainIsMounted(BytePath)
    /// MAIN was mounted before and its catalogue has gone.
    case catalogueMissing(main: BytePath)
    /// Another daemon serves MAIN.
    case inUse(main: BytePath, process: Int32?)
    /// The mount point does not exist.
    case mountPointMissing(BytePath)
    /// The mount point is not a directory.
    case mountPointNotDirectory(BytePath)
    /// Something is mounted there already.
    case mountPointBusy(BytePath, type: String)
    /// The daemon of an earlier mount has gone and left the mount behind.
    case deadMount(BytePath)
    /// The mount point lies in MAIN.
    case mountPointInsideMain(mountPoint: BytePath, main: BytePath)
    /// MAIN lies in the mount point.
    case mainInsideMountPoint(main: BytePath, mountPoint: BytePath)
    /// The directory of backup storage and another directory of the mount lie in each other.
    case backupOverlaps(backup: BytePath, other: BytePath)
    /// The kernel's FUSE device cannot be opened.
    case noFuse(SystemError)
    /// MAIN was never mounted and nothing says where to back up.
    case nothingToBackUpTo(main: BytePath)
    /// MAIN is backed up elsewhere.
    case otherBackup(main: BytePath, remembered: String, given: String)
    /// What the first mount remembered cannot be read.
    case unreadableConfiguration(BytePath, reason: String)
    /// The settings of backup storage do not fit together.
    case backupConfiguration(String)
    /// Backup storage refused us or is not there.
    case backup(ObjectStoreError)
    /// A plain copy was to be made in a main directory.
    case copyIntoMain(BytePath)
    /// The prefix in backup storage is not this catalogue's.
    case ownership(OwnershipError)
    /// The catalogue cannot be opened.
    case catalogue(FileSystemError)
    /// The mount itself failed.
    case mount(String)
}

extension PreflightFailure: CustomStringConvertible {
    var description: String {
        switch self {
        case .mainMissing(let main): "\(main) does not exist: create the directory, or mount the disk that holds it"
        case .mainNotDirectory(let main): "\(main) is not a directory: name the directory that holds the files"
        case .notUsable(let path, let error): "\(path) cannot be used (\(error))"
        case .catalogueMissing(let main):
            "\(main)/.backupfs has settings but no catalogue.sqlite: bring the catalogue back, or remove "
                + "\(main)/.backupfs/config.json to start anew with another prefix"
        case .mainIsMounted(let main):
            "\(main) lies in a BackupFS mount already: unmount it first, or use another main directory"
        case .inUse(let main, let process):
            "\(main) is served by another daemon" + (process.map { " (process \($0))" } ?? "")
                + ": run \"backupfs unmount\" on its mount point first"
        case .mountPointMissing(let path): "the mount point \(path) does not exist: create the directory"
        case .mountPointNotDirectory(let path): "the mount point \(path) is not a directory"
        case .mountPointBusy(let path, let type):
            "\(path) is a mount already (\(terminalText(type))): unmount it, or choose another mount point"
        case .deadMount(let path):
            "\(path) is left from a mount whose daemon has gone: run \"backupfs unmount \(path)\", then mount again"
        case .mountPointInsideMain(let mountPoint, let main):
            "the mount point \(mountPoint) lies in \(main): use \(main) itself, or a directory outside of it"
        case .mainInsideMountPoint(let main, let mountPoint):
            "\(main) lies in the mount point \(mountPoint), which would cover it: choose another mount point"
        case .backupOverlaps(let backup, let other):
            "the backup directory \(backup) and \(other) lie in each other: back up to a directory on another disk"
        case .noFuse(let error) where error.code == EACCES || error.code == EPERM:
            "/dev/fuse may not be opened by this user: mount as root, or ask for access to the device"
        case .noFuse(let error):
            "/dev/fuse cannot be opened (\(error.reason)): run \"modprobe fuse\" as root; in a container, pass the device"
        case .nothingToBackUpTo(let main):
            "\(main) was never mounted: say where to back up with --backup s3://BUCKET/PREFIX or file:///another/disk"
        case .otherBackup(let main, let remembered, let given):
            "\(main) is backed up to \(terminalText(remembered)), not to \(terminalText(given)): leave out --backup, "
                + "or use another main directory"
        case .unreadableConfiguration(let path, let reason):
            "\(path) cannot be read (\(terminalText(reason))): correct it, or remove it and give --backup again"
        case .backupConfiguration(let line): terminalText(line)
        case .backup(let error): terminalText("\(error)")
        case .copyIntoMain(let path): "\(path) is a main directory of BackupFS: a copy needs another one"
        case .ownership(let error): terminalText("\(error)")
        case .catalogue(.catalogue(.newerSchema)):
            "the catalogue was written by a newer version of BackupFS: mount it with that version"
        case .catalogue(.catalogue(.damaged(let message))):
            "the catalogue .backupfs/catalogue.sqlite is damaged (\(terminalText(message))): nothing was changed; bring "
                + "back a copy of it, or move .backupfs away and mount with a new prefix: every file in MAIN is taken over"
        case .catalogue(let error): terminalText("\(error)")
        case .mount(let line): terminalText(line)
        }
    }
}
