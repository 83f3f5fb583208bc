// One step of the model test: a system call or a few, done in the mount and in a native directory alike. What a step
// returned is a line of text, so that two sides are compared by comparing lines.

import CLinux
import Foundation
import Glibc

/// Something that a program may do.
///
/// Paths are relative to the side's root; `slot` is one of a side's open files.
enum ModelStep: Sendable {
    case create(String, content: Content)
    case append(String, content: Content)
    case truncate(String, size: Int)
    case rename(String, to: String)
    case exchange(String, with: String)
    case link(String, to: String)
    case makeSymlink(String, target: String)
    case makePipe(String)
    case unlink(String)
    case makeDirectory(String)
    case removeDirectory(String)
    case changeMode(String, mode_t)
    case changeOwner(String, uid_t, gid_t)
    case setTimes(String, accessed: timespec, modified: timespec)
    case setAttribute(String, name: String, value: [UInt8], flags: Int32)
    case removeAttribute(String, name: String)
    case read(String)
    case open(slot: Int, String, flags: Int32)
    case close(slot: Int)
    case writeAt(slot: Int, offset: Int, content: Content)
    case readAt(slot: Int, offset: Int, size: Int)
    case setSize(slot: Int, size: Int)
    case allocate(slot: Int, mode: Int32, offset: Int, length: Int)
    case writeMapped(slot: Int, offset: Int, content: Content)
    case synchronize(slot: Int)
    case look(slot: Int)

    /// Bytes that are told apart from any others: `size` bytes that follow from `seed`.
    struct Content: Sendable {
        var seed: Int
        var size: Int

        var bytes: [UInt8] { photo(seed, size: size) }
    }
}

/// One of the two directories, and what is open in it.
final class ModelSide {
    let root: String
    private var slots: [Int: Int32] = [:]

    init(_ root: String) { self.root = root }

    deinit { closeAll() }

    func closeAll() {
        for descriptor in slots.values { Glibc.close(descriptor) }
        slots = [:]
    }

    /// The inode numbers of what is open.
    var openInodes: Set<UInt> {
        Set(
            slots.values.compactMap { descriptor in
                var status = stat()
                return fstat(descriptor, &status) == 0 ? status.st_ino : nil
            })
    }

    /// Does a step and says what came of it: the result or the errno of the call that failed.
    func perform(_ step: ModelStep) -> String {
        do throws(CallFailure) {
            return try result(of: step)
        } catch {
            return error.description
        }
    }

    private func full(_ path: String) -> String { "\(root)/\(path)" }

    private func result(of step: ModelStep) throws(CallFailure) -> String {
        switch step {
        case .create(let path, let content): try write(path, O_CREAT | O_TRUNC, content)
        case .append(let path, let content): try write(path, O_APPEND, content)
        case .truncate(let path, let size): try check("truncate", Int(Glibc.truncate(full(path), size)))
        case .rename(let path, let target): try Self.rename(full(path), full(target))
        case .exchange(let path, let other):
            try check("exchange", Int(backupfs_rename_exchange(AT_FDCWD, full(path), AT_FDCWD, full(other))))
        case .link(let path, let target): try check("link", Int(Glibc.link(full(path), full(target))))
        case .makeSymlink(let path, let target): try check("symlink", Int(Glibc.symlink(target, full(path))))
        case .makePipe(let path): try check("mkfifo", Int(mkfifo(full(path), 0o640)))
        case .unlink(let path): try check("unlink", Int(Glibc.unlink(full(path))))
        case .makeDirectory(let path): try check("mkdir", Int(mkdir(full(path), 0o755)))
        case .removeDirectory(let path): try check("rmdir", Int(rmdir(full(path))))
        case .changeMode(let path, let mode): try check("chmod", Int(chmod(full(path), mode)))
        case .changeOwner(let path, let uid, let gid): try check("lchown", Int(lchown(full(path), uid, gid)))
        case .setTimes(let path, let accessed, let modified):
            try check("utimensat", Int(utimensat(AT_FDCWD, full(path), [accessed, modified], AT_SYMLINK_NOFOLLOW)))
        case .setAttribute(let path, let name, let value, let flags):
            try check("lsetxattr", Int(lsetxattr(full(path), name, value, value.count, flags)))
        case .removeAttribute(let path, let name): try check("lremovexattr", Int(lremovexattr(full(path), name)))
        case .read(let path):
            let file = try OpenFile(full(path), O_RDONLY | O_NONBLOCK)
            defer { file.abandon() }
            return Self.summary(try file.readAll())
        case .open(let slot, let path, let flags):
            if let old = slots.removeValue(forKey: slot) { Glibc.close(old) }
            slots[slot] = try OpenFile(full(path), flags | O_NONBLOCK).number
        case .close(let slot):
            guard let descriptor = slots.removeValue(forKey: slot) else { return "not open" }
            try check("close", Int(Glibc.close(descriptor)))
        case .writeAt, .readAt, .setSize, .allocate, .writeMapped, .synchronize, .look: return try openResult(of: step)
        }
        return "done"
    }

    /// Opens, writes, closes.
    private func write(_ path: String, _ flags: Int32, _ content: ModelStep.Content) throws(CallFailure) {
        // Nobody is at the other end of the pipes: opening one would wait for ever.
        let file = try OpenFile(full(path), O_WRONLY | O_NONBLOCK | flags)
        do throws(CallFailure) {
            try file.write(content.bytes)
        } catch {
            file.abandon()
            throw error
        }
        try file.close()
    }

    private func openResult(of step: ModelStep) throws(CallFailure) -> String {
        switch step {
        case .writeAt(let slot, let offset, let content):
            guard let descriptor = slots[slot] else { return "not open" }
            return "\(try check("pwrite", pwrite(descriptor, content.bytes, content.size, offset)))"
        case .readAt(let slot, let offset, let size):
            guard let descriptor = slots[slot] else { return "not open" }
            var buffer = [UInt8](repeating: 0, count: size)
            let count = try check("pread", pread(descriptor, &buffer, size, offset))
            return Self.summary(Array(buffer[..<count]))
        case .setSize(let slot, let size):
            guard let descriptor = slots[slot] else { return "not open" }
            try check("ftruncate", Int(ftruncate(descriptor, size)))
        case .allocate(let slot, let mode, let offset, let length):
            guard let descriptor = slots[slot] else { return "not open" }
            try check("fallocate", Int(backupfs_fallocate(descriptor, mode, Int64(offset), Int64(length))))
        case .writeMapped(let slot, let offset, let content):
            guard let descriptor = slots[slot] else { return "not open" }
            return try Self.writeMapped(descriptor, offset, content.bytes)
        case .synchronize(let slot):
            guard let descriptor = slots[slot] else { return "not open" }
            try check("fsync", Int(fsync(descriptor)))
        case .look(let slot):
            guard let descriptor = slots[slot] else { return "not open" }
            var found = stat()
            try check("fstat", Int(fstat(descriptor, &found)))
            // A directory's size is its file system's own affair.
            let size = found.st_mode & S_IFMT == S_IFDIR ? 0 : found.st_size
            return "size \(size) links \(found.st_nlink) mode \(String(found.st_mode, radix: 8))"
        default: return "not a step on an open file"
        }
        return "done"
    }

    /// Under another name: the method of this type hides the function.
    private static func rename(_ path: String, _ target: String) throws(CallFailure) {
        try check("rename", Int(Glibc.rename(path, target)))
    }

    /// Writes through a shared mapping, within the file's size.
    private static func writeMapped(_ descriptor: Int32, _ offset: Int, _ bytes: [UInt8]) throws(CallFailure) -> String
    {
        var found = stat()
        try check("fstat", Int(fstat(descriptor, &found)))
        guard found.st_mode & S_IFMT == S_IFREG, found.st_size > offset else { return "nothing to map" }
        let size = Int(found.st_size)
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let memory, memory != MAP_FAILED else { throw CallFailure(call: "mmap", code: errno) }
        defer { munmap(memory, size) }
        let count = min(bytes.count, size - offset)
        bytes.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(start: memory.advanced(by: offset), count: count)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
        }
        try check("msync", Int(msync(memory, size, MS_SYNC)))
        return "\(count)"
    }

    /// Tells contents apart without printing them.
    static func summary(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return "\(bytes.count) bytes \(String(hash, radix: 16))"
    }
}
