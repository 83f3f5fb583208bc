import CFuse
import Catalogue
import FileSystemCore
import Glibc

/// Content: open, read, write, close.
enum FileHandlers {
    static func create(
        _ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ mode: mode_t,
        _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let made = try server.fileSystem.createFile(
                Dentry(ResourceID(parent), bytes(name)), newAttributes(mode, request))
            return .now(.created(made.attributes, made.handle))
        }
    }

    static func open(_ raw: fuse_req_t?, _ inode: fuse_ino_t, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            let truncating = (info?.pointee.flags ?? 0) & O_TRUNC != 0
            // For every other change of a content the kernel asks for this itself.
            if truncating, request.caller.uid != 0 { try fileSystem.clearSetID(ResourceID(inode)) }
            let opened = try fileSystem.open(ResourceID(inode), writing: isWriting(info), truncating: truncating)
            let notifications = server.notifications
            if case .ready(let handle) = opened, notifications?.isAbout(handle.file.id) != true {
                return .now(.opened(handle))
            }
            return .later { () async throws(FileSystemError) in try await prepared(opened, fileSystem, notifications) }
        }
    }

    /// A file that may be read, and whose length the kernel does not remember wrong.
    ///
    /// A kernel that is told in the middle of a read that a file is shorter fills what it asked for with zeros. So it is told
    /// before.
    private static func prepared(
        _ opened: BackupFileSystem.Opened, _ fileSystem: BackupFileSystem, _ notifications: KernelNotifications?
    ) async throws(FileSystemError) -> Reply {
        switch opened {
        case .ready(let handle):
            await notifications?.settled(handle.file.id)
            return .opened(handle)
        case .mustPrepare(let handle, let isUndecided):
            do throws(FileSystemError) {
                try await fileSystem.prepare(handle)
            } catch {
                fileSystem.close(handle)
                throw error
            }
            if isUndecided { notifications?.invalidate(handle.file.id) }
            if isUndecided || notifications?.isAbout(handle.file.id) == true {
                await notifications?.settled(handle.file.id)
            }
            return .opened(handle)
        }
    }

    /// Read.2: from main; where main has nothing, Read.4 to Read.6 first.
    static func read(_ raw: fuse_req_t?, _ size: Int, _ offset: off_t, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            guard let handle = info?.pointee.handle else { return .now(.failure(errno: EBADF)) }
            if let descriptor = handle.file.descriptor {
                return .now(.content(descriptor, offset: Int64(offset), size: size))
            }
            let fileSystem = server.fileSystem
            fileSystem.hold(handle)
            return .later { () async throws(FileSystemError) in
                defer { fileSystem.letGo(handle) }
                try await fileSystem.recover(handle.file)
                guard let descriptor = handle.file.descriptor else { throw .inNoStorage }
                return .content(descriptor, offset: Int64(offset), size: size)
            }
        }
    }

    static func write(
        _ raw: fuse_req_t?, _ buffer: UnsafeMutablePointer<fuse_bufvec>?, _ offset: off_t,
        _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        serve(raw) { (server, _) throws(FileSystemError) in
            guard let handle = info?.pointee.handle, let buffer else { return .now(.failure(errno: EBADF)) }
            let fileSystem = server.fileSystem
            let size = fuse_buf_size(buffer)
            if fileSystem.isReadyForChange(handle.file) {
                let count = try fileSystem.write(handle.file, byteRange(Int64(offset), size)) { descriptor in
                    var target = backupfs_bufvec_descriptor(descriptor, offset, size)
                    return fuse_buf_copy(&target, buffer, FUSE_BUF_SPLICE_MOVE)
                }
                return .now(.written(count))
            }
            // The rest of the file has to be fetched or looked at first; the request's memory does not live that long.
            var content = [UInt8](repeating: 0, count: size)
            let copied = content.withUnsafeMutableBytes { memory in
                var target = backupfs_bufvec_memory(memory.baseAddress, size)
                return fuse_buf_copy(&target, buffer, fuse_buf_copy_flags(0))
            }
            guard copied == size else { return .now(.failure(errno: EIO)) }
            let bytes = content
            fileSystem.hold(handle)
            return .later { () async throws(FileSystemError) in
                defer { fileSystem.letGo(handle) }
                try await fileSystem.prepareForChange(handle.file)
                let count = try fileSystem.write(handle.file, byteRange(Int64(offset), size)) { descriptor in
                    let count = pwrite(descriptor, bytes, bytes.count, offset)
                    return count < 0 ? -Int(errno) : count
                }
                return .written(count)
            }
        }
    }

    /// close(2): Write.4 and Write.5 before the answer.
    static func flush(_ raw: fuse_req_t?, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            guard let handle = info?.pointee.handle else { return .now(.failure(errno: EBADF)) }
            return handle.isWritable ? backedUp(handle, server.fileSystem) : .now(.success)
        }
    }

    /// fsync(2): the same, through whatever handle.
    static func synchronize(_ raw: fuse_req_t?, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            guard let handle = info?.pointee.handle else { return .now(.failure(errno: EBADF)) }
            return backedUp(handle, server.fileSystem)
        }
    }

    private static func backedUp(_ handle: FileHandle, _ fileSystem: BackupFileSystem) -> Answer {
        if fileSystem.isClean(handle) { return .now(.success) }
        fileSystem.hold(handle)
        return .later { () async throws(FileSystemError) in
            defer { fileSystem.letGo(handle) }
            try await fileSystem.synchronize(handle)
            return .success
        }
    }

    static func release(_ raw: fuse_req_t?, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, _) throws(FileSystemError) in
            if let number = info?.pointee.fh { server.release(number) }
            return .now(.success)
        }
    }
}

private func isWriting(_ info: UnsafeMutablePointer<fuse_file_info>?) -> Bool {
    (info?.pointee.flags ?? 0) & O_ACCMODE != O_RDONLY
}
