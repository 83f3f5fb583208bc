// Deleting a file needs a little room: the delete is recorded first. On a full disk nothing could ever be deleted, so a
// reserve is kept for that moment, and made again when there is room.

import Glibc
import Linux
import Synchronization

/// A file of blocks in `.backupfs` that is given up when a delete finds the disk full.
final class SpaceReserve: Sendable {
    private static let name = "reserve"
    /// Bytes: some thousand deletes' worth of the catalogue's log, and not more than a small part of the disk.
    private static let sizes = 512 << 10...8 << 20

    private let directory: Descriptor
    private let isHeld = Mutex(false)

    init(directory: Descriptor) { self.directory = directory }

    /// Makes the reserve if it is not there and the disk has plenty of room.
    func establish() {
        isHeld.withLock { isHeld in
            if !isHeld { isHeld = allocate() }
        }
    }

    /// Frees the reserve's blocks; false if there were none.
    func release() -> Bool {
        isHeld.withLock { isHeld in
            guard isHeld, unlinkat(directory.number, Self.name, 0) == 0 else { return false }
            isHeld = false
            return true
        }
    }

    private func allocate() -> Bool {
        var disk = statvfs()
        guard fstatvfs(directory.number, &disk) == 0 else { return false }
        let wanted = min(
            max(Int(clamping: disk.f_blocks / 32 &* disk.f_frsize), Self.sizes.lowerBound), Self.sizes.upperBound)
        var known = stat()
        if fstatat(directory.number, Self.name, &known, AT_SYMLINK_NOFOLLOW) == 0, known.st_size == off_t(wanted) {
            return true
        }
        guard disk.f_bavail > UInt(4 * wanted) / max(1, disk.f_frsize) else { return false }
        let file = openat(directory.number, Self.name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return false }
        defer { close(file) }
        if posix_fallocate(file, 0, off_t(wanted)) == 0, ftruncate(file, off_t(wanted)) == 0 { return true }
        unlinkat(directory.number, Self.name, 0)
        return false
    }
}
