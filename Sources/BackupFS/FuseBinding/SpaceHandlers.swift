import CFuse
import Catalogue
import FileSystemCore
import Glibc

/// Where a file has bytes: allocate, punch, look for holes, copy ranges.
enum SpaceHandlers {
    /// fallocate(2), its modes as main storage has them.
    static func allocate(
        _ raw: fuse_req_t?, _ mode: Int32, _ offset: off_t, _ length: off_t,
        _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        onMainCopies(raw, [], changing: info) { (fileSystem, handles) throws(FileSystemError) in
            try fileSystem.allocate(handles[0], mode: mode, offset: Int64(offset), length: Int64(length))
            return .success
        }
    }

    /// lseek(2) with SEEK_DATA or SEEK_HOLE; the kernel answers the others.
    static func seek(
        _ raw: fuse_req_t?, _ offset: off_t, _ whence: Int32, _ info: UnsafeMutablePointer<fuse_file_info>?
    ) {
        onMainCopies(raw, [info], changing: nil) { (fileSystem, handles) throws(FileSystemError) in
            .offset(try fileSystem.seek(handles[0], offset: Int64(offset), whence: whence))
        }
    }

    /// copy_file_range(2) between two files of the mount; shares blocks where main can.
    static func copy(
        _ raw: fuse_req_t?, _ source: off_t, _ sourceInfo: UnsafeMutablePointer<fuse_file_info>?, _ target: off_t,
        _ targetInfo: UnsafeMutablePointer<fuse_file_info>?, _ length: Int
    ) {
        onMainCopies(raw, [sourceInfo], changing: targetInfo) { (fileSystem, handles) throws(FileSystemError) in
            .written(
                try fileSystem.copy(
                    handles[0], offset: Int64(source), to: handles[1], offset: Int64(target), length: length))
        }
    }

    /// Answers at once if main has the files, and after their recovery if it has not.
    ///
    /// `body` is given the handles of `infos`, then the one that it changes.
    private static func onMainCopies(
        _ raw: fuse_req_t?, _ infos: [UnsafeMutablePointer<fuse_file_info>?],
        changing changed: UnsafeMutablePointer<fuse_file_info>?,
        _ body: @escaping @Sendable (BackupFileSystem, [FileHandle]) throws(FileSystemError) -> Reply
    ) {
        serve(raw) { (server, request) throws(FileSystemError) in
            let fileSystem = server.fileSystem
            let target = changed?.pointee.handle
            target?.used(by: request.caller.pid)
            let handles = infos.compactMap { $0?.pointee.handle } + (target.map { [$0] } ?? [])
            guard handles.count == infos.count + (changed == nil ? 0 : 1) else { return .now(.failure(errno: EBADF)) }
            if handles.allSatisfy({ $0.file.descriptor != nil }),
                target.map({ fileSystem.isReadyForChange($0.file) }) ?? true
            {
                return .now(try body(fileSystem, handles))
            }
            for handle in handles { fileSystem.hold(handle) }
            return .later { () async throws(FileSystemError) in
                defer { for handle in handles { fileSystem.letGo(handle) } }
                for handle in handles { try await fileSystem.recover(handle.file) }
                if let target { try await fileSystem.prepareForChange(target.file) }
                return try body(fileSystem, handles)
            }
        }
    }
}
