import Glibc
import Linux

extension MainStorage {
    /// Why the kernel cannot read main's files for programs; nil if nothing is known against it.
    ///
    /// An open with O_DIRECT opens the main copy with O_DIRECT, too. And a lease has to tell whether somebody has mapped a main
    /// copy (`mayBeOpenElsewhere`).
    var obstacleToPassthrough: String? {
        let unbuffered = open("/proc/self/fd/\(lock.number)", O_RDONLY | O_CLOEXEC | openUnbuffered)
        guard unbuffered >= 0 else { return "main's file system has no O_DIRECT" }
        close(unbuffered)
        guard leaseTells(lock) else { return "main's file system has no leases" }
        return nil
    }
}
