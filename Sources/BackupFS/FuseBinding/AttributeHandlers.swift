import CFuse
import Catalogue
import FileSystemCore
import Glibc

/// Attributes, extended ones too, and the figures of statvfs.
enum AttributeHandlers {
    static func statistics(_ raw: fuse_req_t?, _ inode: fuse_ino_t) {
        serve(raw) { (server, _) throws(FileSystemError) in
            .now(.statistics(try server.fileSystem.fileSystemStatistics(of: ResourceID(inode))))
        }
    }

    static func attributes(_ raw: fuse_req_t?, _ inode: fuse_ino_t) {
        serve(raw) { (server, _) throws(FileSystemError) in
            .now(.attributes(try server.fileSystem.attributes(ResourceID(inode))))
        }
    }

    static func setAttributes(
        _ raw: fuse_req_t?, _ inode: fuse_ino_t, _ status: UnsafeMutablePointer<stat>?, _ toSet: Int32,
        _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            guard let status = status?.pointee else { return .now(.failure(errno: EINVAL)) }
            let fileSystem = server.fileSystem
            let id = ResourceID(inode)
            let changes = AttributeChanges(status, toSet)
            guard toSet & FUSE_SET_ATTR_SIZE != 0 else {
                return .now(.attributes(try fileSystem.setAttributes(id, changes)))
            }
            let size = Int64(status.st_size)
            // ftruncate(2): the close backs it up. Without a main copy there is something to fetch first.
            if let handle = info?.pointee.handle {
                handle.used(by: request.caller.pid)
                if fileSystem.isReadyForChange(handle.file) || size == 0 {
                    try fileSystem.truncateOpen(handle, to: size)
                    return .now(.attributes(try fileSystem.setAttributes(id, changes)))
                }
                fileSystem.hold(handle)
                return .later { () async throws(FileSystemError) in
                    defer { fileSystem.letGo(handle) }
                    try await fileSystem.prepareForChange(handle.file)
                    try fileSystem.truncateOpen(handle, to: size)
                    return .attributes(try fileSystem.setAttributes(id, changes))
                }
            }
            return .later { () async throws(FileSystemError) in
                do throws(FileSystemError) {
                    try await fileSystem.truncate(id, to: size)
                } catch {
                    // Main may have the new length although the call fails.
                    await server.notifications?.invalidateAttributesFirst(id)
                    throw error
                }
                return .attributes(try fileSystem.setAttributes(id, changes))
            }
        }
    }

    static func xattr(_ raw: fuse_req_t?, _ inode: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ size: Int) {
        serve(raw) { (server, _) throws(FileSystemError) in
            .now(sized(try server.fileSystem.xattr(ResourceID(inode), XattrName(bytes(name))), size))
        }
    }

    static func xattrNames(_ raw: fuse_req_t?, _ inode: fuse_ino_t, _ size: Int) {
        serve(raw) { (server, _) throws(FileSystemError) in
            let names = try server.fileSystem.xattrNames(ResourceID(inode))
            return .now(sized(names.flatMap { $0.bytes + [0] }, size))
        }
    }

    static func setXattr(
        _ raw: fuse_req_t?, _ inode: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
        _ size: Int, _ flags: Int32
    ) {
        // XATTR_CREATE and XATTR_REPLACE of <linux/xattr.h>.
        let mode: XattrMode = flags & 1 != 0 ? .create : flags & 2 != 0 ? .replace : .any
        serve(raw) { (server, _) throws(FileSystemError) in
            let value = UnsafeBufferPointer(start: value, count: size).map { UInt8(bitPattern: $0) }
            try server.fileSystem.setXattr(
                ResourceID(inode), XattrName(bytes(name)), value, mode: mode)
            return .now(.success)
        }
    }

    static func removeXattr(_ raw: fuse_req_t?, _ inode: fuse_ino_t, _ name: UnsafePointer<CChar>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            try server.fileSystem.removeXattr(ResourceID(inode), XattrName(bytes(name)))
            return .now(.success)
        }
    }
}

/// The protocol of getxattr(2): size 0 asks for the size.
private func sized(_ bytes: [UInt8], _ size: Int) -> Reply {
    if size == 0 { return .size(bytes.count) }
    return bytes.count <= size ? .bytes(bytes) : .failure(errno: ERANGE)
}

extension AttributeChanges {
    fileprivate init(_ status: stat, _ toSet: Int32) {
        func isSet(_ flag: Int32) -> Bool { toSet & flag != 0 }
        self.init()
        if isSet(FUSE_SET_ATTR_MODE) { mode = UInt32(status.st_mode) & 0o7777 }
        if isSet(FUSE_SET_ATTR_UID) { uid = status.st_uid }
        if isSet(FUSE_SET_ATTR_GID) { gid = status.st_gid }
        if isSet(FUSE_SET_ATTR_ATIME) { accessed = .to(Nanoseconds(status.st_atim)) }
        if isSet(FUSE_SET_ATTR_ATIME_NOW) { accessed = .now }
        if isSet(FUSE_SET_ATTR_MTIME) { modified = .to(Nanoseconds(status.st_mtim)) }
        if isSet(FUSE_SET_ATTR_MTIME_NOW) { modified = .now }
    }
}
