// Main storage: plain files under their own paths. Every path is resolved below the root's descriptor, refusing links,
// so that nothing outside MAIN is ever touched, whatever lies in it or is mounted over it.

import Catalogue
import Glibc
import Linux

/// The local directory that holds the files, and `.backupfs` in it.
package final class MainStorage: Sendable {
    /// The directory's path as given, for messages.
    package let path: String
    /// The name in MAIN that belongs to BackupFS.
    package static let reservedName = Array(".backupfs".utf8)

    /// MAIN itself.
    package let root: Descriptor
    /// MAIN/.backupfs.
    package let privateDirectory: Descriptor
    let staging: Descriptor
    let otherDisks: OtherDisks
    let aside: Descriptor
    let reserve: SpaceReserve
    let lock: Descriptor
    /// Whether the daemon may give files to their owners.
    private let mayChangeOwner = geteuid() == 0

    /// Why main storage cannot be used.
    package enum OpenFailure: Error, Equatable {
        case missing(String)
        case notUsable(String, errno: Int32)
        /// Another daemon holds the lock; its process number, if it told.
        case inUse(pid: Int32?)
    }

    /// Opens MAIN, makes `.backupfs` in it if needed, and takes the lock that keeps a second daemon away.
    package init(path: String) throws(OpenFailure) {
        self.path = path
        let rootNumber = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard rootNumber >= 0 else {
            throw errno == ENOENT ? .missing(path) : .notUsable(path, errno: errno)
        }
        root = Descriptor(rootNumber)
        privateDirectory = try Self.makeDirectory(".backupfs", in: root, path)
        lock = try Self.takeLock(privateDirectory, path)
        otherDisks = OtherDisks(root: root)
        staging = try Self.makeDirectory("staging", in: privateDirectory, path)
        aside = try Self.makeDirectory("aside", in: privateDirectory, path)
        reserve = SpaceReserve(directory: privateDirectory)
    }

    private static func makeDirectory(
        _ name: String, in parent: Descriptor, _ path: String
    ) throws(OpenFailure) -> Descriptor {
        guard mkdirat(parent.number, name, 0o700) == 0 || errno == EEXIST else {
            throw .notUsable("\(path)/\(name)", errno: errno)
        }
        do throws(SystemError) {
            let directory = try parent.openBeneath(name, O_RDONLY | O_DIRECTORY)
            guard fchmod(directory.number, 0o700) == 0 else { throw SystemError("fchmod") }
            return directory
        } catch {
            throw .notUsable("\(path)/\(name)", errno: error.code)
        }
    }

    private static func takeLock(_ directory: Descriptor, _ path: String) throws(OpenFailure) -> Descriptor {
        let lock: Descriptor
        do throws(SystemError) {
            lock = try directory.openBeneath("lock", O_RDWR | O_CREAT, mode: 0o600)
        } catch {
            throw .notUsable("\(path)/.backupfs/lock", errno: error.code)
        }
        let number = lock.number
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            var text = [UInt8](repeating: 0, count: 16)
            let count = max(0, pread(number, &text, 15, 0))
            throw .inUse(pid: Int32(String(decoding: text[..<count], as: UTF8.self)))
        }
        let owner = Array("\(getpid())".utf8)
        guard ftruncate(number, 0) == 0, pwrite(number, owner, owner.count, 0) == owner.count else {
            throw .notUsable("\(path)/.backupfs/lock", errno: errno)
        }
        return lock
    }

    // MARK: Directories

    /// Opens the directory at a path of names below MAIN, or below a directory in it.
    func openDirectory(_ path: [[UInt8]], in directory: Descriptor? = nil) throws(FileSystemError) -> Descriptor {
        var current = directory ?? root
        var remaining = path[...]
        // A path may be longer than the kernel takes at once.
        while !remaining.isEmpty {
            var text: [UInt8] = []
            while let name = remaining.first, text.count + name.count < 4000 {
                guard MainEntry.isName(name) else { throw .main(errno: EINVAL, during: "opening a directory") }
                if !text.isEmpty { text.append(UInt8(ascii: "/")) }
                text += name
                remaining.removeFirst()
            }
            current = try beneath(current, text, O_RDONLY | O_DIRECTORY, mode: 0, during: "opening a directory")
        }
        // Not what somebody mounted below .backupfs.
        if directory == nil { otherDisks.isElsewhere(current) }
        return current
    }

    func makeDirectory(
        _ entry: MainEntry, mode: UInt32, uid: UInt32, gid: UInt32
    ) throws(FileSystemError) {
        try check(
            entry.at { mkdirat($0, $1, mode_t(mode) | 0o700) }, "mkdir")
        try setOwnerAndMode(entry, mode: mode, uid: uid, gid: gid)
    }

    // MARK: Files

    /// Opens an existing regular file, for reading and writing if possible; nil if there is none.
    func openFile(_ entry: MainEntry, writing: Bool) throws(FileSystemError) -> Descriptor? {
        try openFile(entry.directory, path: entry.name, writing: writing)
    }

    private func openFile(
        _ directory: Descriptor, path: [UInt8], writing: Bool
    ) throws(FileSystemError) -> Descriptor? {
        let base = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let file: Descriptor
        do throws(SystemError) {
            do throws(SystemError) {
                file = try directory.openBeneath(path, base | O_RDWR)
            } catch {
                guard !writing, [EACCES, EPERM, EROFS, ETXTBSY].contains(error.code) else { throw error }
                file = try directory.openBeneath(path, base | O_RDONLY)
            }
        } catch {
            // A directory, a link or a device in the place of a file is a missing file.
            if [ENOENT, EISDIR, ELOOP, ENXIO, ENODEV, ENOTDIR].contains(error.code) { return nil }
            throw .main(errno: error.code, during: "open")
        }
        guard try file.status().st_mode & S_IFMT == S_IFREG else { return nil }
        return file
    }

    /// Opens the file at a path below MAIN if it is the copy that `row` describes; nil if it is not, or is not there.
    ///
    /// The names need not be held still: another file has another inode number.
    func openFile(_ path: [[UInt8]], as row: Resource) -> Descriptor? {
        let text = Array(path.joined(separator: [UInt8(ascii: "/")]))
        guard text.count < 4000, path.allSatisfy(MainEntry.isName),
            let file = try? openFile(root, path: text, writing: false),
            let status = try? file.status(), row.describes(status)
        else { return nil }
        return file
    }

    /// Makes a new file; `.main(errno: EEXIST)` if there is something with this name.
    func createFile(
        _ entry: MainEntry, mode: UInt32, uid: UInt32, gid: UInt32
    ) throws(FileSystemError) -> Descriptor {
        let file = try beneath(
            entry.directory, entry.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: (mode & 0o777) | 0o600,
            during: "create")
        do throws(FileSystemError) {
            try setOwnerAndMode(file, mode: mode, uid: uid, gid: gid)
        } catch {
            _ = entry.at { unlinkat($0, $1, 0) }
            throw error
        }
        return file
    }

    /// Makes a symbolic link, pipe, socket or device node.
    func makeNode(_ entry: MainEntry, _ row: Resource) throws(FileSystemError) {
        if row.kind == .symlink {
            let result = withText(row.target ?? []) { target in
                entry.at { symlinkat(target, $0, $1) }
            }
            try check(result, "symlink")
        } else {
            let mode = row.kind.modeBits | row.mode
            try check(entry.at { mknodat($0, $1, mode, dev_t(row.device)) }, "mknod")
        }
        try setAttributes(
            entry, kind: row.kind, mode: row.mode, uid: row.uid, gid: row.gid, accessed: nil,
            modified: nil)
    }

    /// Gives an open file another name; `.main(errno: EEXIST)` if there is something with it, ENOENT if the file has no
    /// name any more.
    func link(_ file: Descriptor, _ entry: MainEntry) throws(FileSystemError) {
        let result = entry.at {
            linkat(AT_FDCWD, "/proc/self/fd/\(file.number)", $0, $1, AT_SYMLINK_FOLLOW)
        }
        try check(result, "link")
    }

    /// Opens whatever has a name, just to link it; nil if nothing has it.
    func openAny(_ entry: MainEntry) throws(FileSystemError) -> Descriptor? {
        let number = entry.at { openat($0, $1, openForPathOnly | O_NOFOLLOW | O_CLOEXEC) }
        if number < 0, errno == ENOENT { return nil }
        guard number >= 0 else { throw .main(errno: errno, during: "open") }
        return Descriptor(number)
    }

    /// Removes a name; false if there was none.
    func remove(_ entry: MainEntry, isDirectory: Bool) throws(FileSystemError) -> Bool {
        let result = entry.at { unlinkat($0, $1, isDirectory ? AT_REMOVEDIR : 0) }
        if result != 0, errno == ENOENT { return false }
        try check(result, isDirectory ? "rmdir" : "unlink")
        return true
    }

    /// Renames, replacing the target; false if the source is not there.
    func rename(
        _ source: MainEntry, _ target: MainEntry
    ) throws(FileSystemError) -> Bool {
        let result = source.at { from, name in target.at { renameat(from, name, $0, $1) } }
        if result != 0, errno == ENOENT { return false }
        try check(result, "rename")
        return true
    }

    /// Lets two names change places; false if one of them is not there.
    func exchange(
        _ first: MainEntry, _ second: MainEntry
    ) throws(FileSystemError) -> Bool {
        let result = first.at { directory, name in second.at { renameExchanging(directory, name, $0, $1) } }
        if result != 0, errno == ENOENT { return false }
        try check(result, "rename")
        return true
    }

    /// What lies under a name, without following a link; nil if nothing does.
    func status(_ entry: MainEntry) throws(FileSystemError) -> stat? {
        var status = stat()
        let result = entry.at { fstatat($0, $1, &status, AT_SYMLINK_NOFOLLOW) }
        if result != 0, errno == ENOENT || errno == ENOTDIR { return nil }
        try check(result, "stat")
        return status
    }

    /// The inode number of what lies under a name; 0 if nothing does.
    func inode(_ entry: MainEntry) throws(FileSystemError) -> UInt64 {
        try status(entry).map { UInt64($0.st_ino) } ?? 0
    }

    /// Sets the owner, mode and times of what lies under a name; each if given.
    func setAttributes(
        _ entry: MainEntry, kind: Resource.Kind, mode: UInt32?, uid: UInt32?, gid: UInt32?,
        accessed: timespec?, modified: timespec?
    ) throws(FileSystemError) {
        if mayChangeOwner, uid != nil || gid != nil {
            try check(
                entry.at {
                    fchownat($0, $1, uid ?? uid_t.max, gid ?? gid_t.max, AT_SYMLINK_NOFOLLOW)
                }, "chown")
        }
        if let mode, kind != .symlink { try setMode(entry, kind, mode) }
        if accessed != nil || modified != nil {
            let times = [accessed ?? timeThatStays, modified ?? timeThatStays]
            try check(entry.at { utimensat($0, $1, times, AT_SYMLINK_NOFOLLOW) }, "utimensat")
        }
    }

    /// chmod(2) follows symbolic links, and somebody may have put one there: only what is of the kind is changed.
    private func setMode(
        _ entry: MainEntry, _ kind: Resource.Kind, _ mode: UInt32
    ) throws(FileSystemError) {
        guard let found = try openAny(entry), try found.status().st_mode & S_IFMT == kind.modeBits else {
            throw .main(errno: ENOENT, during: "chmod")
        }
        try check(chmod("/proc/self/fd/\(found.number)", mode), "chmod")
    }

    /// Sets the owner, mode and times of an open file; each if given.
    func setAttributes(
        of file: Descriptor, mode: UInt32?, uid: UInt32?, gid: UInt32?, accessed: timespec?, modified: timespec?
    ) throws(FileSystemError) {
        if mayChangeOwner, uid != nil || gid != nil {
            try check(fchown(file.number, uid ?? uid_t.max, gid ?? gid_t.max), "chown")
        }
        if let mode { try check(fchmod(file.number, mode), "chmod") }
        if accessed != nil || modified != nil {
            try check(futimens(file.number, [accessed ?? timeThatStays, modified ?? timeThatStays]), "futimens")
        }
    }

    private func setOwnerAndMode(_ file: Descriptor, mode: UInt32, uid: UInt32, gid: UInt32) throws(FileSystemError) {
        if mayChangeOwner { try check(fchown(file.number, uid, gid), "chown") }
        try check(fchmod(file.number, mode), "chmod")
    }

    private func setOwnerAndMode(
        _ entry: MainEntry, mode: UInt32, uid: UInt32, gid: UInt32
    ) throws(FileSystemError) {
        try setAttributes(
            entry, kind: .directory, mode: mode, uid: uid, gid: gid, accessed: nil, modified: nil)
    }

    func beneath(
        _ directory: Descriptor, _ path: [UInt8], _ flags: Int32, mode: UInt32, during: String
    ) throws(FileSystemError) -> Descriptor {
        do throws(SystemError) {
            return try directory.openBeneath(path, flags, mode: mode)
        } catch {
            throw .main(errno: error.code, during: during)
        }
    }

    func check(_ result: Int32, _ operation: String) throws(FileSystemError) {
        guard result == 0 else { throw .main(errno: errno, during: operation) }
    }
}
