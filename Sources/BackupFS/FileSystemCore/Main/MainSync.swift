// Names in main are on the disk before the catalogue forgets that main has to follow.

import CLinux
import Glibc

extension BackupFileSystem {
    /// Syncs main's file system; a start does so before it forgets an intent that it has repeated.
    func syncMain() throws(FileSystemError) {
        guard backupfs_sync_file_system(main.root.number) == 0 else { throw .main(errno: errno, during: "syncfs") }
    }
}
