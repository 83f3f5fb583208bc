// SQLite opens its files by path and makes every path absolute and free of symbolic links first. Both go wrong here:
// the mount may cover the very directory that holds the catalogue. So the catalogue is named through the descriptor of
// its directory, /proc/self/fd/N/catalogue.sqlite, and this VFS is SQLite's own with one change: it leaves such a path
// as it is. Source: https://www.sqlite.org/vfs.html (xFullPathname).

import GRDBSQLite
import Glibc

/// Registers the VFS once a process, as the default one.
enum DescriptorFileSystem {
    private static let isRegistered: Bool = {
        guard let original = sqlite3_vfs_find(nil) else { return false }
        let copy = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        copy.initialize(to: original.pointee)
        copy.pointee.zName = UnsafePointer(strdup("backupfs"))
        copy.pointee.xFullPathname = { _, path, capacity, result in
            guard let path, let result, strlen(path) < Int(capacity) else { return SQLITE_CANTOPEN }
            strcpy(result, path)
            return SQLITE_OK
        }
        return sqlite3_vfs_register(copy, 1) == SQLITE_OK
    }()

    /// Makes the VFS the default of this process.
    static func register() -> Bool { isRegistered }
}
