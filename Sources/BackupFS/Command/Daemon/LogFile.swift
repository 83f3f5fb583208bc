// The file that the log goes to. It is on the disk of main, so it may not grow for ever.

import FileSystemCore
import Glibc
import Linux
import Synchronization

/// Takes the lines of the log; a file of ours is renamed when it is long enough, and a new one begun.
final class LogFile: Sendable {
    /// When a file is long enough, in bytes.
    static let usualLimit: Int64 = 10_000_000
    /// How many older files are kept: `backupfs.log.1` is the newest of them.
    static let usuallyKept = 4

    private struct Rotation {
        let directory: Descriptor
        let name: String
        let limit: Int64
        let kept: Int
        let takesStandardError: Bool
    }

    /// nil: what is open is somebody else's.
    private let rotation: Rotation?
    /// Guards the open file; held while a line is written, so that none goes to a file that was renamed.
    private let current: Mutex<Descriptor>

    /// Writes to an open descriptor, and leaves what is behind it alone.
    init(_ descriptor: Descriptor) {
        rotation = nil
        current = Mutex(descriptor)
    }

    /// Writes to a file in an open directory, at its end if it is there.
    ///
    /// With `takesStandardError` standard error always goes to the same file.
    init(
        directory: Int32, name: String, limit: Int64 = LogFile.usualLimit, kept: Int = LogFile.usuallyKept,
        takesStandardError: Bool
    ) throws(SystemError) {
        let own = try Descriptor(duplicating: directory)
        let file = try Self.open(name, in: own, flags: 0)
        rotation = Rotation(
            directory: own, name: name, limit: limit, kept: kept, takesStandardError: takesStandardError)
        current = Mutex(file)
        if takesStandardError { dup2(file.number, STDERR_FILENO) }
    }

    /// Writes one line; the line feed is added.
    func write(_ line: String) {
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        current.withLock { current in
            if let rotation, Self.isLong(current, rotation.limit, Int64(bytes.count)) {
                if let new = Self.rotate(rotation) { current = new }
            }
            // A full disk must not stop the file system: a line that cannot be written is lost.
            _ = Glibc.write(current.number, bytes, bytes.count)
        }
    }

    private static func isLong(_ file: Descriptor, _ limit: Int64, _ more: Int64) -> Bool {
        var status = stat()
        // Others write to it, too: standard error.
        guard fstat(file.number, &status) == 0, status.st_size > 0 else { return false }
        return Int64(status.st_size) + more > limit
    }

    /// A new file in the place of the old one; nil if there can be none: then the old one goes on.
    private static func rotate(_ rotation: Rotation) -> Descriptor? {
        let directory = rotation.directory.number
        let (name, temporary) = (rotation.name, rotation.name + ".new")
        unlinkat(directory, temporary, 0)
        guard let new = try? open(temporary, in: rotation.directory, flags: O_EXCL) else { return nil }
        for number in stride(from: rotation.kept - 1, to: 0, by: -1) {
            renameat(directory, "\(name).\(number)", directory, "\(name).\(number + 1)")
        }
        renameat(directory, name, directory, "\(name).1")
        guard renameat(directory, temporary, directory, name) == 0 else { return nil }
        if rotation.takesStandardError { dup2(new.number, STDERR_FILENO) }
        return new
    }

    private static func open(
        _ name: String, in directory: Descriptor, flags: Int32
    ) throws(SystemError) -> Descriptor {
        let all = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags
        return try Descriptor(taking: openat(directory.number, name, all, 0o600), from: "open")
    }
}
