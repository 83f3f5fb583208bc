// The files below a directory store's root. Every path is opened with openat2(2) beneath the root without following
// symbolic links, so neither a key nor a link that somebody put there leads out of it.

import Glibc
import Linux
import Synchronization

/// What the kernel said about a file of the store.
struct DirectoryFailure: Error {
    let code: Int32

    init(_ code: Int32) { self.code = code }

    /// The failure of the last system call.
    static var last: DirectoryFailure { DirectoryFailure(errno) }

    /// The failure as everybody above knows it.
    func asStoreError(_ operation: String) -> ObjectStoreError {
        let text = "\(operation): \(errnoText(code))"
        switch code {
        case ENOSPC, EDQUOT: return .full(message: text)
        case EACCES, EPERM, EROFS: return .denied(.system(errno: code), message: text)
        case ENOTDIR, EISDIR, ELOOP, EXDEV, ENAMETOOLONG, EEXIST, EFBIG, EINVAL:
            return .rejected(.system(errno: code), message: text)
        default: return .unreachable(reason: text)
        }
    }
}

/// The root of a directory store, opened for one request.
struct DirectoryTree: Sendable {
    let root: Descriptor

    /// Opens a file below the root.
    func open(_ path: String, _ flags: Int32, mode: UInt32 = 0o600) throws(DirectoryFailure) -> Descriptor {
        do throws(SystemError) {
            return try root.openBeneath(path, flags, mode: mode)
        } catch {
            throw DirectoryFailure(error.code)
        }
    }

    /// The root's absolute path, without symbolic links.
    func realPath() throws(ObjectStoreError) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(root.number)", &buffer, buffer.count)
        guard count > 0, buffer[0] == UInt8(ascii: "/") else {
            throw DirectoryFailure.last.asStoreError("finding out where it is")
        }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    func openDirectory(_ path: String) throws(DirectoryFailure) -> Descriptor {
        try open(path, O_RDONLY | O_DIRECTORY)
    }

    /// Opens a directory below the root, made if it is not there; each new entry is synced before its child is used.
    ///
    /// `durable` holds the directories whose entries are known to be on the disk.
    func makeDirectory(_ path: String, durable: DurableDirectories) throws(DirectoryFailure) -> Descriptor {
        var directory = root
        var reached = ""
        for part in path.split(separator: "/") where part != "." {
            let name = String(part)
            reached += reached.isEmpty ? name : "/" + name
            let below = DirectoryTree(root: directory)
            var isDurable = durable.contains(reached)
            if !isDurable || faccessat(directory.number, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 {
                guard mkdirat(directory.number, name, 0o700) == 0 || errno == EEXIST else { throw .last }
                isDurable = false
            }
            let child = try below.openDirectory(name)
            if !isDurable { try sync(directory) }
            durable.insert(reached)
            directory = child
        }
        return directory
    }

    /// Removes empty directories from `path` up to, not including, `stop`; ends quietly at the first that stays.
    func removeEmptyDirectories(_ path: String, upTo stop: String, durable: DurableDirectories) {
        var path = path
        while path != stop, path != "." {
            let (parent, name) = splitPath(path)
            guard let directory = try? openDirectory(parent) else { return }
            guard unlinkat(directory.number, name, AT_REMOVEDIR) == 0 else { return }
            // After the removal: whoever made it again meanwhile syncs it once more, which does no harm.
            durable.remove(path)
            path = parent
        }
    }

    /// fsync(2); a failed one is never tried again.
    func sync(_ file: Descriptor) throws(DirectoryFailure) {
        guard fsync(file.number) == 0 else { throw .last }
    }

    /// Gives a file another name unless that name is taken (EEXIST).
    func moveExclusively(
        _ from: Descriptor, _ name: String, to target: Descriptor, _ newName: String
    ) throws(DirectoryFailure) {
        guard renameExclusively(from.number, name, target.number, newName) == 0 else { throw .last }
    }
}

/// The directories whose entries are known to be on the disk, so that not every request syncs all of its parents.
final class DurableDirectories: Sendable {
    private static let capacity = 16384
    private let paths = Mutex<Set<String>>([])

    func contains(_ path: String) -> Bool { paths.withLock { $0.contains(path) } }

    func insert(_ path: String) {
        paths.withLock { paths in
            if paths.count >= Self.capacity { paths = [] }
            paths.insert(path)
        }
    }

    func remove(_ path: String) {
        _ = paths.withLock { $0.remove(path) }
    }
}
