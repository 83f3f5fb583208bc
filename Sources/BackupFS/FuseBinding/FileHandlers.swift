import CFuse
import Catalogue
import FileSystemCore
import Glibc
import Linux

/// Content: open, read, write, close.
enum FileHandlers {
    static func create(
        _ raw: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?, _ mode: mode_t,
        _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let made = try server.fileSystem.createFile(
                Dentry(ResourceID(parent), bytes(name)), newAttributes(mode, request))
            // Whatever its flags say: the answer to CREATE names no backing file.
            _ = try hasEntered(made.handle, OpenAccess(reads: false, writes: true), server.fileSystem)
            made.handle.used(by: request.caller.pid)
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
            // Now: whoever is answered later may be gone by then.
            opened.handle.used(by: request.caller.pid)
            let notifications = server.notifications
            let access = access(info)
            if case .ready(let handle) = opened, notifications?.isAbout(handle.file.id) != true,
                try hasEntered(handle, access, fileSystem)
            {
                return .now(.opened(handle))
            }
            return .later { () async throws(FileSystemError) in
                let handle = try await prepared(opened, fileSystem, notifications)
                while try !hasEntered(handle, access, fileSystem) {
                    do throws(FileSystemError) {
                        try await fileSystem.prepareForChange(handle.file)
                    } catch {
                        fileSystem.close(handle)
                        throw error
                    }
                }
                return .opened(handle)
            }
        }
    }

    /// A file that may be read, and whose length the kernel does not remember wrong.
    ///
    /// A kernel that is told in the middle of a read that a file is shorter fills what it asked for with zeros. So it is told
    /// before.
    private static func prepared(
        _ opened: BackupFileSystem.Opened, _ fileSystem: BackupFileSystem, _ notifications: KernelNotifications?
    ) async throws(FileSystemError) -> FileHandle {
        switch opened {
        case .ready(let handle):
            await notifications?.settled(handle.file.id)
            return handle
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
            return handle
        }
    }

    /// Decides how the kernel reads and writes through the handle; false if its file has to be prepared for a change first.
    ///
    /// The handle is closed if that fails.
    private static func hasEntered(
        _ handle: FileHandle, _ access: OpenAccess, _ fileSystem: BackupFileSystem
    ) throws(FileSystemError) -> Bool {
        do throws(FileSystemError) {
            return try fileSystem.enter(handle, access)
        } catch {
            fileSystem.close(handle)
            throw error
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
        serve(raw) { (server, request) throws(FileSystemError) in
            guard let handle = info?.pointee.handle, let buffer else { return .now(.failure(errno: EBADF)) }
            let fileSystem = server.fileSystem
            let size = fuse_buf_size(buffer)
            if info?.pointee.writepage != 0 {
                handle.usedThroughMapping()
            } else {
                handle.used(by: request.caller.pid)
            }
            // What passes the kernel's page cache the kernel neither syncs nor takes set-id bits for (O_SYNC has O_DSYNC's bit).
            let isDirect = handle.mode != .cached
            if isDirect, request.caller.uid != 0 { try server.clearSetID(handle.file.id) }
            let mustSync = isDirect && (info?.pointee.flags ?? 0) & O_DSYNC != 0
            if fileSystem.isReadyForChange(handle.file) {
                let count = try fileSystem.write(handle.file, byteRange(Int64(offset), size)) { descriptor in
                    var target = backupfs_bufvec_descriptor(descriptor, offset, size)
                    return fuse_buf_copy(&target, buffer, FUSE_BUF_SPLICE_MOVE)
                }
                return mustSync ? synced(handle, count, fileSystem) : .now(.written(count))
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
                if mustSync { try await fileSystem.synchronize(handle) }
                return .written(count)
            }
        }
    }

    /// A write that is a fsync(2), too.
    private static func synced(_ handle: FileHandle, _ count: Int, _ fileSystem: BackupFileSystem) -> Answer {
        fileSystem.hold(handle)
        return .later { () async throws(FileSystemError) in
            defer { fileSystem.letGo(handle) }
            try await fileSystem.synchronize(handle)
            return .written(count)
        }
    }

    /// close(2): Write.4 and Write.5 before the answer, except for who has only inherited the descriptor.
    static func flush(_ raw: fuse_req_t?, _ info: UnsafeMutablePointer<fuse_file_info>?) {
        serve(raw) { (server, request) throws(FileSystemError) in
            guard let handle = info?.pointee.handle else { return .now(.failure(errno: EBADF)) }
            let mayWait = handle.isWritable && !server.fileSystem.isBystander(request.caller.pid, handle)
            return mayWait ? backedUp(handle, server.fileSystem) : .now(.success)
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
            try await fileSystem.noteMappings(handle.file)
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

/// What an open of the kernel may do; its flags are those of open(2).
private func access(_ info: UnsafeMutablePointer<fuse_file_info>?) -> OpenAccess {
    let flags = info?.pointee.flags ?? 0
    return OpenAccess(
        reads: flags & O_ACCMODE != O_WRONLY, writes: isWriting(info), truncates: flags & O_TRUNC != 0,
        isUnbuffered: flags & openUnbuffered != 0)
}

private func isWriting(_ info: UnsafeMutablePointer<fuse_file_info>?) -> Bool {
    (info?.pointee.flags ?? 0) & O_ACCMODE != O_RDONLY
}
