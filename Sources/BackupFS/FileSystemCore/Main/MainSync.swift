// Names in main are on the disk before the catalogue forgets that main has to follow.

import CLinux
import Glibc

extension MainStorage {
    /// The mount that main is on: another one may have another page cache.
    func mountIdentifier() -> String {
        #if BACKUPFS_FAILPOINTS
        if let other = getenv("BACKUPFS_MOUNT_ID") { return String(cString: other) }
        #endif
        return "\(backupfs_mount_identifier(root.number))"
    }
}

extension BackupFileSystem {
    /// Syncs main's file system; a start does so before it forgets an intent that it has repeated.
    func syncMain() throws(FileSystemError) {
        guard backupfs_sync_file_system(main.root.number) == 0 else { throw .main(errno: errno, during: "syncfs") }
    }
}
