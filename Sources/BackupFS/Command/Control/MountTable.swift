import FileSystemCore
import Glibc
import Linux

/// The mounts this process sees, as `/proc/self/mountinfo` lists them (proc_pid_mountinfo(5)).
struct MountTable: Sendable, Equatable {
    /// One line of the table.
    struct Entry: Sendable, Equatable {
        /// Which directory of the file system is mounted there: `/` unless it is a bind mount.
        var root: BytePath
        /// Where it is mounted, absolute.
        var mountPoint: BytePath
        /// Its type, like `fuse.backupfs`.
        var type: String
        /// Its source: for BackupFS the main directory, unless `fsname` says otherwise.
        var source: BytePath

        /// Whether it is a FUSE file system of any kind.
        var isFuse: Bool { type == "fuse" || type.hasPrefix("fuse.") }
        /// Whether it names itself a BackupFS.
        var isBackupFS: Bool { type == "fuse.backupfs" }
    }

    /// The mounts, those mounted later behind the earlier ones.
    var entries: [Entry]

    init(entries: [Entry]) {
        self.entries = entries
    }

    /// Reads the text of a mountinfo file; lines that it does not understand are left out.
    init(mountinfo text: [UInt8]) {
        entries = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard let separator = fields.firstIndex(of: [UInt8(ascii: "-")]), separator >= 6,
                fields.count > separator + 2
            else { return nil }
            return Entry(
                root: BytePath(unescaped(fields[3])), mountPoint: BytePath(unescaped(fields[4])),
                type: String(decoding: unescaped(fields[separator + 1]), as: UTF8.self),
                source: BytePath(unescaped(fields[separator + 2])))
        }
    }

    /// The mounts of this process now.
    static func current() throws(SystemError) -> MountTable {
        MountTable(mountinfo: try readWhole(BytePath("/proc/self/mountinfo"), limit: 16 << 20))
    }

    /// The mount that a resolved absolute path lies in: the longest mount point at or above it, the last one if several
    /// lie on each other.
    func entry(containing path: BytePath) -> Entry? {
        var best: Entry?
        for entry in entries where path.components(below: entry.mountPoint) != nil {
            if let best, best.mountPoint.components.count > entry.mountPoint.components.count { continue }
            best = entry
        }
        return best
    }

    /// The topmost mount whose mount point is exactly this path.
    func entry(at mountPoint: BytePath) -> Entry? {
        entries.last { $0.mountPoint == mountPoint }
    }
}

/// mountinfo's octal escapes (`\040` for a space) undone.
private func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var rest = field
    while let first = rest.popFirst() {
        let digits = rest.prefix(3)
        guard first == UInt8(ascii: "\\"), digits.count == 3,
            let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
        else {
            result.append(first)
            continue
        }
        result.append(value)
        rest = rest.dropFirst(3)
    }
    return result
}
