import Catalogue
import Glibc
import Linux

extension MainStorage {
    /// One entry of a directory in main.
    struct Entry: Sendable {
        var name: [UInt8]
        /// nil for what this system knows and BackupFS does not.
        var kind: Resource.Kind?
        var attributes: AdoptedAttributes
        /// What tells hard links of one file; nil for what has one name only.
        var identity: Identity?
    }

    /// Which file a hard link is one of.
    struct Identity: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64
    }

    /// The entries of a directory of MAIN, without `.` and `..`.
    func entries(_ path: [[UInt8]]) throws(FileSystemError) -> [Entry] {
        try entries(in: try openDirectory(path))
    }

    /// The entries of an open directory, without `.` and `..`.
    func entries(in directory: Descriptor) throws(FileSystemError) -> [Entry] {
        var entries: [Entry] = []
        for name in try names(directory) {
            // Removed since the directory was read: not there.
            if let found = try entry(try MainEntry(directory, name)) { entries.append(found) }
        }
        return entries
    }

    /// One entry of an open directory; nil if nothing has the name.
    func entry(_ entry: MainEntry) throws(FileSystemError) -> Entry? {
        guard let status = try status(entry) else { return nil }
        let kind = Resource.Kind(modeBits: status.st_mode)
        let target = kind == .symlink ? try readLink(entry) : nil
        let hasLinks = kind != .directory && status.st_nlink > 1
        return Entry(
            name: entry.name, kind: kind, attributes: AdoptedAttributes(status, target: target),
            identity: hasLinks ? Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) : nil)
    }

    /// Removes whatever an earlier daemon left in staging.
    func emptyStaging() throws(FileSystemError) {
        for name in try names(staging) { _ = try remove(try MainEntry(staging, name), isDirectory: false) }
    }

    private func names(_ directory: Descriptor) throws(FileSystemError) -> [[UInt8]] {
        do throws(SystemError) {
            return try directory.names()
        } catch {
            throw .main(errno: error.code, during: "reading a directory")
        }
    }

    private func readLink(_ entry: MainEntry) throws(FileSystemError) -> [UInt8] {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = entry.at { readlinkat($0, $1, &target, target.count) }
        guard count >= 0 else { throw .main(errno: errno, during: "readlink") }
        return target[..<count].map { UInt8(bitPattern: $0) }
    }
}

extension AdoptedAttributes {
    init(_ status: stat, target: [UInt8]?) {
        self.init(
            mode: UInt32(status.st_mode) & 0o7777, uid: status.st_uid, gid: status.st_gid,
            size: target.map { Int64($0.count) } ?? (status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : 0),
            accessed: Nanoseconds(status.st_atim), modified: Nanoseconds(status.st_mtim),
            changed: Nanoseconds(status.st_ctim), target: target,
            device: [S_IFCHR, S_IFBLK].contains(status.st_mode & S_IFMT) ? UInt64(status.st_rdev) : 0,
            inode: UInt64(status.st_ino))
    }
}
