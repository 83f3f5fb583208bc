import CFuse
import Catalogue
import FileSystemCore
import Glibc

/// Names: lookup, creation, removal, listing.
enum NameHandlers {
    static func lookup(_ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            let found = try server.fileSystem.lookup(Dentry(ResourceID(parent), bytes(name)))
            return .now(found.map { .entry($0) } ?? .noEntry)
        }
    }

    static func makeDirectory(_ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ mode: mode_t) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let made = try server.fileSystem.makeDirectory(
                Dentry(ResourceID(parent), bytes(name)), newAttributes(mode, request))
            return .now(.entry(made))
        }
    }

    /// mknod(2): a device, pipe or socket, or an empty regular file, which is backed up before the call returns.
    static func makeNode(
        _ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ mode: mode_t, _ device: dev_t
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            let kind = mode & S_IFMT == 0 ? .file : Resource.Kind(modeBits: mode)
            guard let kind, kind != .directory, kind != .symlink else { return .now(.failure(errno: EINVAL)) }
            guard kind == .file else {
                var attributes = newAttributes(mode, request)
                attributes.device = kind == .character || kind == .block ? UInt64(device) : 0
                let made = try fileSystem.makeNode(
                    kind, Dentry(ResourceID(parent), bytes(name)), attributes)
                return .now(.entry(made))
            }
            let made = try fileSystem.createFile(
                Dentry(ResourceID(parent), bytes(name)), newAttributes(mode, request))
            return .later { () async throws(FileSystemError) in
                defer { fileSystem.close(made.handle) }
                try await fileSystem.flush(made.handle)
                return .entry(try fileSystem.attributes(made.attributes.row.id))
            }
        }
    }

    static func makeSymlink(
        _ raw: fuse_req_t?, _ target: UnsafePointer<CChar>?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let caller = request.caller
            let attributes = NewAttributes(mode: 0o777, uid: caller.uid, gid: caller.gid, target: bytes(target))
            let made = try server.fileSystem.makeNode(
                .symlink, Dentry(ResourceID(parent), bytes(name)), attributes)
            return .now(.entry(made))
        }
    }

    static func link(
        _ raw: fuse_req_t?, _ inode: fuse_ino_t, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?
    ) {
        serve(raw) { (server, _) throws(FileSystemError) in
            .now(
                .entry(
                    try server.fileSystem.link(ResourceID(inode), Dentry(ResourceID(parent), bytes(name)))))
        }
    }

    static func readLink(_ raw: fuse_req_t?, _ inode: fuse_ino_t) {
        serve(raw) { (server, _) throws(FileSystemError) in
            .now(.link(try server.fileSystem.readLink(ResourceID(inode))))
        }
    }

    static func remove(_ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, directory: Bool) {
        serve(raw) { (server, _) throws(FileSystemError) in
            try server.fileSystem.remove(Dentry(ResourceID(parent), bytes(name)), directory: directory)
            return .now(.success)
        }
    }

    static func rename(
        _ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ newParent: fuse_ino_t,
        _ newName: UnsafePointer<CChar>?, _ flags: UInt32
    ) {
        // RENAME_NOREPLACE and RENAME_EXCHANGE of <linux/fs.h>.
        let (noReplace, exchange): (UInt32, UInt32) = (1, 2)
        serve(raw) { (server, _) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            let source = Dentry(ResourceID(parent), bytes(name))
            let target = Dentry(ResourceID(newParent), bytes(newName))
            switch flags {
            case 0, noReplace:
                try fileSystem.rename(from: source, to: target, noReplace: flags == noReplace)
            case exchange: try fileSystem.exchange(source, target)
            default: return .now(.failure(errno: EINVAL))
            }
            return .now(.success)
        }
    }

    static func openDirectory(_ raw: fuse_req_t?, _ inode: fuse_ino_t) {
        serve(raw) { (_, _) throws(FileSystemError) in .now(.openedDirectory) }
    }

    /// fsync(2) of a directory: its names and attributes are in backup, with the journal, when this returns.
    static func syncDirectory(_ raw: fuse_req_t?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            return .later { () async throws(FileSystemError) in
                try await fileSystem.syncJournal()
                return .success
            }
        }
    }

    /// Positions in a listing: 0 and 1 come before `.` and `..`; an entry's own is its cookie, moved up by two.
    static func listDirectory(
        _ raw: fuse_req_t?, _ inode: fuse_ino_t, _ size: Int, _ offset: off_t, withAttributes: Bool
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            let directory = ResourceID(inode)
            var listing = DirectoryListing(request, size: size, withAttributes: withAttributes)
            if offset < 1 {
                guard listing.add(Array(".".utf8), try fileSystem.attributes(directory), next: 1) else {
                    return .now(.bytes(listing.bytes))
                }
            }
            if offset < 2 {
                let parent = try fileSystem.attributes(try fileSystem.parent(of: directory))
                guard listing.add(Array("..".utf8), parent, next: 2) else { return .now(.bytes(listing.bytes)) }
            }
            let entries = try fileSystem.list(
                directory, after: max(0, Int64(offset) - 2), limit: listing.mostEntries)
            for entry in entries {
                let attributes = try fileSystem.attributes(of: entry.resource)
                guard listing.add(entry.name, attributes, next: entry.cookie + 2) else { break }
            }
            return .now(.bytes(listing.bytes))
        }
    }
}

/// The bytes of one answer to readdir.
private struct DirectoryListing {
    private(set) var bytes: [UInt8] = []
    private let request: Request
    private let size: Int
    private let withAttributes: Bool

    init(_ request: Request, size: Int, withAttributes: Bool) {
        self.request = request
        self.size = size
        self.withAttributes = withAttributes
        bytes.reserveCapacity(size)
    }

    /// More entries than this never fit (fuse_dirent is 24 bytes and its name, fuse_entry_out 128).
    var mostEntries: Int { size / (withAttributes ? 152 : 32) + 1 }

    /// Adds an entry; false if there is no room for it.
    mutating func add(_ name: [UInt8], _ attributes: Attributes, next: Int64) -> Bool {
        let text = name.map { CChar(bitPattern: $0) } + [0]
        let room = size - bytes.count
        let isDot = name == Array(".".utf8) || name == Array("..".utf8)
        var status = stat(attributes)
        var entry = fuse_entry_param(attributes)
        // `.` and `..` are not looked up by a listing.
        if isDot { entry.ino = 0 }
        var piece = [CChar](repeating: 0, count: min(room, 512))
        let needed =
            withAttributes
            ? fuse_add_direntry_plus(request.raw, &piece, piece.count, text, &entry, off_t(next))
            : fuse_add_direntry(request.raw, &piece, piece.count, text, &status, off_t(next))
        guard needed <= piece.count else { return false }
        bytes += piece[..<needed].map { UInt8(bitPattern: $0) }
        return true
    }
}

/// The attributes of something new, the caller's own.
func newAttributes(_ mode: mode_t, _ request: Request) -> NewAttributes {
    let caller = request.caller
    return NewAttributes(
        mode: UInt32(mode) & 0o7777, uid: caller.uid, gid: caller.gid, umask: UInt32(request.umask))
}
