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
