// Directories of main that are other disks, mounted there. What is moved from one disk to another is copied; what is staged
// for such a directory is staged on its disk; and main is synced only when all its disks are.

import Glibc
import Linux
import Synchronization

/// The disks that directories of main were found on, beside the one of its root.
final class OtherDisks: Sendable {
    /// A directory of each, open: a failed write is told to who had the disk open when it failed.
    private let found = Mutex<[dev_t: Descriptor]>([:])
    private let root: dev_t

    init(root: Descriptor) { self.root = (try? root.status().st_dev) ?? 0 }

    /// Whether a directory is on another disk than main's root; it is remembered.
    @discardableResult
    func isElsewhere(_ directory: Descriptor) -> Bool {
        guard let device = try? directory.status().st_dev, device != root else { return false }
        found.withLock { if $0[device] == nil { $0[device] = directory } }
        return true
    }

    /// A directory on each.
    var directories: [Descriptor] { found.withLock { Array($0.values) } }
}

extension MainStorage {
    /// Has everything that was written to main so far written to its disks (syncfs(2)).
    ///
    /// Throws the first error, after all were synced.
    func syncDisks() throws(SystemError) {
        var failure: SystemError?
        for directory in [root] + otherDisks.directories {
            do throws(SystemError) { try syncFileSystem(of: directory) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Copies a file's bytes, from its first one on.
    func copyContent(from source: Descriptor, to target: Descriptor) throws(FileSystemError) {
        var offset: Int64 = 0
        while true {
            let count = copyRange(from: source.number, at: &offset, to: target.number, length: 1 << 30)
            if count < 0, errno == EINTR { continue }
            // Not between these two file systems.
            if count < 0, [EXDEV, EINVAL, ENOTSUP, ENOSYS].contains(errno) {
                return try copyByReading(from: source, offset: offset, to: target)
            }
            guard count >= 0 else { throw .main(errno: errno, during: "copy_file_range") }
            if count == 0 { return }
        }
    }

    private func copyByReading(
        from source: Descriptor, offset start: Int64, to target: Descriptor
    ) throws(FileSystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = start
        while true {
            let count = pread(source.number, buffer.baseAddress, buffer.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .main(errno: errno, during: "read") }
            if count == 0 { return }
            var written = 0
            while written < count {
                let more = pwrite(
                    target.number, buffer.baseAddress?.advanced(by: written), count - written,
                    off_t(offset) + off_t(written))
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { throw .main(errno: more == 0 ? EIO : errno, during: "write") }
                written += more
            }
            offset += Int64(count)
        }
    }

    /// Moves a file between two disks; EXDEV for anything else.
    ///
    /// The new name must be free. A crash in between leaves both.
    func moveByCopy(from source: MainEntry, to target: MainEntry) throws(FileSystemError) {
        guard let found = try status(source), found.st_mode & S_IFMT == S_IFREG,
            let file = try openFile(source, writing: false)
        else { throw .main(errno: EXDEV, during: "moving to another disk") }
        let copy = try createFile(target, mode: UInt32(found.st_mode) & 0o7777, uid: found.st_uid, gid: found.st_gid)
        do throws(FileSystemError) {
            try copyContent(from: file, to: copy)
            try setAttributes(
                of: copy, mode: nil, uid: nil, gid: nil, accessed: found.st_atim, modified: found.st_mtim)
            try check(fsync(copy.number), "fsync")
        } catch {
            _ = try? remove(target, isDirectory: false)
            throw error
        }
        _ = try remove(source, isDirectory: false)
    }
}
