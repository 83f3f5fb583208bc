// The table that libfuse calls. Each entry is a plain C function that hands the request to one handler.

import CFuse
import Catalogue

enum Operations {
    /// Every operation that BackupFS answers; libfuse answers ENOSYS to the others.
    static var table: fuse_lowlevel_ops {
        var operations = fuse_lowlevel_ops()
        operations.`init` = { _, connection in negotiate(connection) }
        operations.statfs = { AttributeHandlers.statistics($0, $1) }
        operations.forget = { request, _, _ in fuse_reply_none(request) }
        operations.forget_multi = { request, _, _ in fuse_reply_none(request) }
        addNames(&operations)
        addAttributes(&operations)
        addFiles(&operations)
        return operations
    }

    private static func addNames(_ operations: inout fuse_lowlevel_ops) {
        operations.lookup = { request, parent, name in NameHandlers.lookup(request, parent, name) }
        operations.mkdir = { request, parent, name, mode in NameHandlers.makeDirectory(request, parent, name, mode) }
        operations.mknod = { request, parent, name, mode, device in
            NameHandlers.makeNode(request, parent, name, mode, device)
        }
        operations.symlink = { request, target, parent, name in NameHandlers.makeSymlink(request, target, parent, name)
        }
        operations.link = { request, inode, parent, name in NameHandlers.link(request, inode, parent, name) }
        operations.readlink = { request, inode in NameHandlers.readLink(request, inode) }
        operations.unlink = { request, parent, name in NameHandlers.remove(request, parent, name, directory: false) }
        operations.rmdir = { request, parent, name in NameHandlers.remove(request, parent, name, directory: true) }
        operations.rename = { request, parent, name, newParent, newName, flags in
            NameHandlers.rename(request, parent, name, newParent, newName, flags)
        }
        operations.opendir = { request, inode, _ in NameHandlers.openDirectory(request, inode) }
        operations.readdir = { request, inode, size, offset, _ in
            NameHandlers.listDirectory(request, inode, size, offset, withAttributes: false)
        }
        operations.readdirplus = { request, inode, size, offset, _ in
            NameHandlers.listDirectory(request, inode, size, offset, withAttributes: true)
        }
        operations.releasedir = { request, _, _ in fuse_reply_err(request, 0) }
        operations.fsyncdir = { request, _, _, _ in NameHandlers.syncDirectory(request) }
    }

    private static func addAttributes(_ operations: inout fuse_lowlevel_ops) {
        operations.getattr = { request, inode, _ in AttributeHandlers.attributes(request, inode) }
        operations.setattr = { request, inode, status, toSet, info in
            AttributeHandlers.setAttributes(request, inode, status, toSet, info)
        }
        operations.getxattr = { request, inode, name, size in AttributeHandlers.xattr(request, inode, name, size) }
        operations.setxattr = { request, inode, name, value, size, flags in
            AttributeHandlers.setXattr(request, inode, name, value, size, flags)
        }
        operations.listxattr = { request, inode, size in AttributeHandlers.xattrNames(request, inode, size) }
        operations.removexattr = { request, inode, name in AttributeHandlers.removeXattr(request, inode, name) }
    }

    private static func addFiles(_ operations: inout fuse_lowlevel_ops) {
        operations.create = { request, parent, name, mode, info in
            FileHandlers.create(request, parent, name, mode, info)
        }
        operations.open = { request, inode, info in FileHandlers.open(request, inode, info) }
        operations.read = { request, _, size, offset, info in FileHandlers.read(request, size, offset, info) }
        operations.write_buf = { request, _, buffer, offset, info in FileHandlers.write(request, buffer, offset, info) }
        operations.flush = { request, _, info in FileHandlers.flush(request, info) }
        operations.fsync = { request, _, _, info in FileHandlers.synchronize(request, info) }
        operations.fallocate = { request, _, mode, offset, length, info in
            SpaceHandlers.allocate(request, mode, offset, length, info)
        }
        operations.lseek = { request, _, offset, whence, info in SpaceHandlers.seek(request, offset, whence, info) }
        operations.copy_file_range = { request, _, source, sourceInfo, _, target, targetInfo, length, _ in
            SpaceHandlers.copy(request, source, sourceInfo, target, targetInfo, length)
        }
        operations.release = { request, _, info in FileHandlers.release(request, info) }
    }
}

/// What is asked of the kernel when the session begins.
private func negotiate(_ connection: UnsafeMutablePointer<fuse_conn_info>?) {
    guard let connection else { return }
    connection.pointee.time_gran = 1
    // The kernel clears set-id bits and capabilities of a file that is written, not we.
    connection.pointee.want &= ~UInt32(FUSE_CAP_HANDLE_KILLPRIV)
    // It checks access control lists that we keep; whether the umask counts depends on the directory's list.
    let accessControl = UInt32(FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK)
    if connection.pointee.capable & accessControl == accessControl { connection.pointee.want |= accessControl }
    // Reads are background requests, and those of files that have to be recovered wait: they must not hold up the others.
    connection.pointee.max_background = 4096
    connection.pointee.congestion_threshold = 3072
}

extension ResourceID {
    init(_ inode: fuse_ino_t) { self.init(Int64(inode)) }
}
