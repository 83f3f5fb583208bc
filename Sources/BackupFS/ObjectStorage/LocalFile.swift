// Our own end of a transfer: an open file of the caller's, read and written at offsets, so that its offset stays.

import Glibc
import Linux

/// An open file that somebody else owns and keeps open.
package struct LocalFile: Sendable {
    /// The caller's file descriptor; never closed here.
    package let descriptor: Int32

    package init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// A descriptor of our own for the same file, that stays valid when the caller closes theirs.
    ///
    /// Throws `.localFile`.
    func duplicate() throws(ObjectStoreError) -> Descriptor {
        do throws(SystemError) {
            return try Descriptor(duplicating: descriptor)
        } catch {
            throw .localFile(errno: error.code)
        }
    }

    /// Reads at `offset` (pread(2)) until `buffer` is full or the file ends; returns the bytes read.
    ///
    /// Throws `.localFile`.
    package func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ObjectStoreError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .localFile(errno: errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Writes all of `bytes` at `offset` (pwrite(2)).
    ///
    /// Throws `.localFile`.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(ObjectStoreError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .localFile(errno: count == 0 ? EIO : errno) }
            done += count
        }
    }

    /// What is a hole as a whole or not at all, as far as it comes at once.
    private static let block = 64 << 10

    /// Writes at `offset` into a file that has only holes there: runs of zeros stay holes.
    ///
    /// The caller sets the file's length at the end. Throws `.localFile`.
    package func writeSparsely(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(ObjectStoreError) {
        var done = 0
        // What is to be written with the next call.
        var begun = 0
        while done < bytes.count {
            let toBoundary = Self.block - Int((offset + Int64(done)) % Int64(Self.block))
            let end = min(bytes.count, done + toBoundary)
            if Self.isZero(.init(rebasing: bytes[done..<end])) {
                try write(.init(rebasing: bytes[begun..<done]), at: offset + Int64(begun))
                begun = end
            }
            done = end
        }
        try write(.init(rebasing: bytes[begun...]), at: offset + Int64(begun))
    }

    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // Each byte is as the one before it, and the first one is zero.
        guard bytes.first == 0, let start = bytes.baseAddress else { return false }
        return memcmp(start, start + 1, bytes.count - 1) == 0
    }

    /// Gives the file `length` bytes (ftruncate(2)); one that has them is left alone.
    ///
    /// ext4 writes a file out when it is closed after an ftruncate to nothing, and so keeps whoever made it waiting.
    ///
    /// Throws `.localFile`.
    package func truncate(to length: Int64) throws(ObjectStoreError) {
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_size == off_t(length) { return }
        while ftruncate(descriptor, off_t(length)) != 0 {
            guard errno == EINTR else { throw .localFile(errno: errno) }
        }
    }

    /// All of the first `length` bytes, in memory: for small files and tests.
    ///
    /// Throws `.localFile`, with EIO if the file is shorter.
    package func contents(length: Int64) throws(ObjectStoreError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length), alignment: 1)
        defer { buffer.deallocate() }
        guard try read(at: 0, into: buffer) == buffer.count else { throw .localFile(errno: EIO) }
        return [UInt8](buffer)
    }
}
