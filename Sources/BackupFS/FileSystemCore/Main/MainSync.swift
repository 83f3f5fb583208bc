// Names in main are on the disk before the catalogue forgets that main has to follow.

import Glibc
import Linux

extension MainStorage {
    /// The mount that main is on: another one may have another page cache.
    func mountIdentifier() -> String {
        #if BACKUPFS_FAILPOINTS
        if let other = getenv("BACKUPFS_MOUNT_ID") { return String(cString: other) }
        #endif
        return "\(Linux.mountIdentifier(of: root))"
    }
}

extension BackupFileSystem {
    /// Syncs main's file system; a start does so before it forgets an intent that it has repeated.
    func syncMain() throws(FileSystemError) {
        do throws(SystemError) {
            try syncFileSystem(of: main.root)
        } catch {
            throw .main(errno: error.code, during: error.call)
        }
    }
}
