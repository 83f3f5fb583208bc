// Handlers return what to answer; sending it is done here, once. A handler that has to wait for backup storage returns
// `.later`, and holds no thread of libfuse until then.

import CFuse
import Catalogue
import FileSystemCore
import Glibc
import Linux

/// The answer to one kernel request.
enum Reply: Sendable {
    /// No answer at all: forget has none.
    case none
    case success
    case failure(errno: Int32)
    case entry(Attributes)
    /// A name that does not exist; the kernel remembers that.
    case noEntry
    case attributes(Attributes)
    case opened(FileHandle)
    case openedDirectory
    case created(Attributes, FileHandle)
    case written(Int)
    case offset(Int64)
    /// Bytes of the main copy, spliced where the kernel can.
    case content(Descriptor, offset: Int64, size: Int)
    case bytes([UInt8])
    case size(Int)
    case link([UInt8])
    case statistics(statvfs)
}

/// What a handler says: an answer, or work that gives it.
enum Answer {
    case now(Reply)
    case later(@Sendable () async throws(FileSystemError) -> Reply)
}

/// One request of the kernel.
///
/// Safe to send: libfuse allows a request to be answered from any thread, and it stays valid until it is.
struct Request: @unchecked Sendable {
    let raw: fuse_req_t

    /// Who asks.
    var caller: (uid: UInt32, gid: UInt32, pid: Int32) {
        guard let context = fuse_req_ctx(raw)?.pointee else { return (0, 0, 0) }
        return (context.uid, context.gid, context.pid)
    }

    /// The permissions that its new files are not to have.
    var umask: mode_t { fuse_req_ctx(raw)?.pointee.umask ?? 0 }

    /// Sends the answer; the request is gone afterwards.
    func send(_ reply: Reply, by server: FuseServer) {
        switch reply {
        case .none: fuse_reply_none(raw)
        case .success: fuse_reply_err(raw, 0)
        case .failure(errno: let code): fuse_reply_err(raw, code)
        case .entry(let attributes):
            var entry = fuse_entry_param(attributes)
            fuse_reply_entry(raw, &entry)
        case .noEntry:
            var entry = fuse_entry_param()
            entry.entry_timeout = CacheTime.names
            fuse_reply_entry(raw, &entry)
        case .attributes(let attributes):
            var status = stat(attributes)
            fuse_reply_attr(raw, &status, CacheTime.attributes)
        case .opened(let handle):
            var info = fuse_file_info(handle)
            let result =
                handle.mode == .cached ? fuse_reply_open(raw, &info) : OpenReply(info.fh, handle.mode).send(raw)
            if result != 0 { server.release(info.fh) }
        case .openedDirectory:
            var info = fuse_file_info()
            fuse_reply_open(raw, &info)
        case .created(let attributes, let handle):
            var entry = fuse_entry_param(attributes)
            var info = fuse_file_info(handle)
            if fuse_reply_create(raw, &entry, &info) != 0 { server.release(info.fh) }
        case .written(let count): fuse_reply_write(raw, count)
        case .offset(let offset): fuse_reply_lseek(raw, off_t(offset))
        case .content(let descriptor, let offset, let size):
            var vector = backupfs_bufvec_descriptor(descriptor.number, off_t(offset), size)
            withExtendedLifetime(descriptor) { _ = fuse_reply_data(raw, &vector, FUSE_BUF_SPLICE_MOVE) }
        case .bytes(let bytes):
            _ = bytes.withUnsafeBytes { buffer in
                fuse_reply_buf(raw, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
            }
        case .size(let size): fuse_reply_xattr(raw, size)
        case .link(let target):
            let text = target.map { CChar(bitPattern: $0) } + [0]
            fuse_reply_readlink(raw, text)
        case .statistics(var statistics): fuse_reply_statfs(raw, &statistics)
        }
    }
}

/// How long the kernel may keep what it was told, in seconds: every change comes through the mount.
enum CacheTime {
    static let names = 86_400.0
    static let attributes = 86_400.0
}

extension fuse_file_info {
    /// An open file, retained by the kernel's handle number until it is released.
    init(_ handle: FileHandle) {
        self.init()
        fh = UInt64(UInt(bitPattern: Unmanaged.passRetained(handle).toOpaque()))
        // Content changes through the mount only, so cached pages outlive a close. Those of a file that main has lost do
        // not: a read has to come and bring it back.
        if handle.file.descriptor != nil { backupfs_file_keep_cache(&self) }
    }

    /// The open file of a request.
    var handle: FileHandle? {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(fh)) else { return nil }
        return Unmanaged<FileHandle>.fromOpaque(pointer).takeUnretainedValue()
    }
}

extension fuse_entry_param {
    init(_ attributes: Attributes) {
        self.init()
        ino = fuse_ino_t(attributes.row.id.rawValue)
        generation = 1
        attr = stat(attributes)
        attr_timeout = CacheTime.attributes
        entry_timeout = CacheTime.names
    }
}

extension stat {
    init(_ attributes: Attributes) {
        self.init()
        let row = attributes.row
        st_ino = UInt(row.id.rawValue)
        st_mode = row.kind.modeBits | row.mode
        st_nlink = UInt(row.linkCount)
        st_rdev = UInt(row.device)
        st_uid = row.uid
        st_gid = row.gid
        st_size = Int(row.size)
        st_blksize = 4096
        st_blocks = Int(attributes.blocks)
        st_atim = row.accessed.timespec
        st_mtim = row.modified.timespec
        st_ctim = row.changed.timespec
    }
}
