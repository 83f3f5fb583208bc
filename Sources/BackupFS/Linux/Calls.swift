// The system calls and constants that Swift's Glibc module does not show, under names of ours. Those that answer a number
// do so as the C library does: -1 means failed, and errno says why.

import CLinux
import Glibc

/// O_PATH: just the place of a file, neither for reading nor for writing.
package var openForPathOnly: Int32 { backupfs_o_path }

/// UTIME_OMIT, for a time that is to stay as it is.
package var timeThatStays: timespec { timespec(tv_sec: 0, tv_nsec: backupfs_utime_omit) }

/// POLLRDHUP, by which poll(2) tells that the other end of a socket was closed.
package var pollPeerClosed: Int16 { backupfs_poll_peer_closed }

/// Renames unless the target exists (EEXIST).
///
/// mergerfs, bindfs, sshfs, NFS and others do not know RENAME_NOREPLACE. There a second name is made and the first one
/// taken away, which does not replace either; of what can have only one name it is looked whether the new one is free, so
/// the caller keeps others from making it meanwhile.
package func renameExclusively(
    _ from: Int32, _ name: UnsafePointer<CChar>, _ to: Int32, _ newName: UnsafePointer<CChar>
) -> Int32 {
    let result = backupfs_rename_exclusive(from, name, to, newName)
    guard result != 0, [EINVAL, ENOSYS, ENOTSUP].contains(errno) else { return result }
    return renameWithoutFlags(from, name, to, newName)
}

/// The same with the kernel's help only: EINVAL where the file system has none to give.
package func renameKeeping(
    _ from: Int32, _ name: UnsafePointer<CChar>, _ to: Int32, _ newName: UnsafePointer<CChar>
) -> Int32 {
    backupfs_rename_exclusive(from, name, to, newName)
}

/// The same without the kernel's help.
package func renameWithoutFlags(
    _ from: Int32, _ name: UnsafePointer<CChar>, _ to: Int32, _ newName: UnsafePointer<CChar>
) -> Int32 {
    if linkat(from, name, to, newName, 0) == 0 { return unlinkat(from, name, 0) }
    // A directory, or no hard links here.
    guard [EPERM, EMLINK, ENOSYS, ENOTSUP].contains(errno) else { return -1 }
    var status = stat()
    guard fstatat(to, newName, &status, AT_SYMLINK_NOFOLLOW) != 0 else {
        errno = EEXIST
        return -1
    }
    return renameat(from, name, to, newName)
}

/// Lets two names change places.
package func renameExchanging(
    _ first: Int32, _ name: UnsafePointer<CChar>, _ second: Int32, _ otherName: UnsafePointer<CChar>
) -> Int32 {
    backupfs_rename_exchange(first, name, second, otherName)
}

/// Copies up to `length` bytes from `offset` on, which moves, to the target's own offset; 0 at the end of the source.
package func copyRange(from source: Int32, at offset: inout Int64, to target: Int32, length: Int) -> Int {
    backupfs_copy_file_range(source, &offset, target, length)
}

/// Copies up to `length` bytes between two offsets; 0 at the end of the source.
package func copyRange(
    from source: Int32, at offset: Int64, to target: Int32, at targetOffset: Int64, length: Int
) -> Int {
    var (from, to) = (offset, targetOffset)
    return backupfs_copy_range(source, &from, target, &to, length)
}

/// fallocate(2).
package func allocateSpace(_ file: Int32, mode: Int32, offset: Int64, length: Int64) -> Int32 {
    backupfs_fallocate(file, mode, offset, length)
}

/// Syncs the whole file system that an open file is on.
package func syncFileSystem(of file: Descriptor) throws(SystemError) {
    guard backupfs_sync_file_system(file.number) == 0 else { throw SystemError("syncfs") }
}

/// Whether the kernel has failed to write what programs wrote to the file, since this or a sync was last asked through this
/// descriptor; nothing is written, and next to nothing waited for.
///
/// Source: sync_file_range(2), errseq in https://docs.kernel.org/core-api/errseq.html
package func hasFailedWrites(_ file: Descriptor) -> Bool { backupfs_check_writes(file.number) != 0 }

/// The number of the mount that an open file is on; 0 if the kernel does not tell.
package func mountIdentifier(of file: Descriptor) -> UInt64 { backupfs_mount_identifier(file.number) }

/// Unmounts (umount2(2)), not following a symbolic link at the end.
package func unmountFileSystem(_ mountPoint: UnsafePointer<CChar>) throws(SystemError) {
    guard backupfs_unmount(mountPoint) == 0 else { throw SystemError("umount2") }
}

/// The value of an extended attribute, at most `longest` bytes, no symbolic link followed; nil if there is none.
package func extendedAttribute(_ name: String, of path: UnsafePointer<CChar>, longest: Int) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: longest)
    let count = lgetxattr(path, name, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : nil
}

/// Sets an extended attribute of an open file (fsetxattr(2)).
package func setExtendedAttribute(_ name: UnsafePointer<CChar>, of file: Descriptor, _ value: [UInt8]) -> Int32 {
    fsetxattr(file.number, name, value, value.count, 0)
}

/// Who is at the other end of a connected socket, at the time it connected or listened (SO_PEERCRED, unix(7)).
package func peer(of socket: Descriptor) throws(SystemError) -> (process: Int32, user: UInt32) {
    var peer = backupfs_peer()
    guard backupfs_peer_of(socket.number, &peer) == 0 else { throw SystemError("getsockopt") }
    return (peer.pid, peer.uid)
}

/// An empty file that is in memory only, and gone when it is closed.
package func memoryFile() throws(SystemError) -> Descriptor {
    try Descriptor(taking: backupfs_memory_file(), from: "memfd_create")
}

/// O_TMPFILE: a file without a name in the directory that is opened.
package var openNameless: Int32 { backupfs_o_tmpfile }

/// O_DIRECT: past the page cache.
package var openUnbuffered: Int32 { backupfs_o_direct }

/// Whether an open file's file system can tell who else has it open.
package func leaseTells(_ file: Descriptor) -> Bool {
    guard takeLease(file) else { return errno == EAGAIN }
    dropLease(file)
    return true
}

/// Whether anybody else may have the file open or mapped, in whatever process; the caller must be its owner or have CAP_LEASE.
///
/// A write lease is given only to one who is alone with a file (fcntl(2), F_SETLEASE). It is given back at once.
package func mayBeOpenElsewhere(_ file: Descriptor) -> Bool {
    guard takeLease(file) else { return true }
    dropLease(file)
    return false
}

private func takeLease(_ file: Descriptor) -> Bool {
    // Who opens the file in just that moment waits for the lease to go, and we are told of that with SIGIO.
    signal(SIGIO, SIG_IGN)
    return fcntl(file.number, backupfs_set_lease, Int32(F_WRLCK)) == 0
}

private func dropLease(_ file: Descriptor) { _ = fcntl(file.number, backupfs_set_lease, Int32(F_UNLCK)) }
