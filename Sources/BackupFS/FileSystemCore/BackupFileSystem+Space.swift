// Where a file has bytes and where it has holes. Main storage does the work; what changes the content is backed up like a
// write. The main copy must be there (`recover`).

import Glibc
import Linux

extension BackupFileSystem {
    /// fallocate(2): all modes that main storage has.
    package func allocate(
        _ handle: FileHandle, mode: Int32, offset: Int64, length: Int64
    ) throws(FileSystemError) {
        // Some modes move what comes behind.
        _ = try write(handle.file, max(0, offset)..<Int64.max) { descriptor in
            allocateSpace(descriptor, mode: mode, offset: offset, length: length) == 0 ? 0 : -Int(errno)
        }
    }

    /// The next byte of data or of a hole from `offset` on (SEEK_DATA, SEEK_HOLE); ENXIO behind the end.
    package func seek(_ handle: FileHandle, offset: Int64, whence: Int32) throws(FileSystemError) -> Int64 {
        guard let descriptor = handle.file.descriptor else { throw .inNoStorage }
        let found = lseek(descriptor.number, off_t(offset), whence)
        guard found >= 0 else { throw .main(errno: errno, during: "lseek") }
        return Int64(found)
    }

    /// Copies up to `length` bytes from one file to another, or within one; returns how many.
    package func copy(
        _ source: FileHandle, offset sourceOffset: Int64, to target: FileHandle, offset targetOffset: Int64, length: Int
    ) throws(FileSystemError) -> Int {
        guard let sourceDescriptor = source.file.descriptor else { throw .inNoStorage }
        return try write(target.file, byteRange(targetOffset, length)) { descriptor in
            let count = copyRange(
                from: sourceDescriptor.number, at: sourceOffset, to: descriptor, at: targetOffset, length: length)
            return count < 0 ? -Int(errno) : count
        }
    }
}

/// The bytes from `offset` on, as many as there can be up to `length`.
package func byteRange(_ offset: Int64, _ length: Int) -> Range<Int64> {
    let (end, isTooLarge) = offset.addingReportingOverflow(Int64(length))
    return max(0, offset)..<(isTooLarge ? Int64.max : max(0, offset, end))
}
