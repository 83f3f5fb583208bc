// What programs do with files, as the FUSE binding asks it of the core; and a look behind the mount.

import Glibc
import ObjectStorage
import TestSupport
import Testing

import struct Foundation.Data
import class Foundation.FileManager
import struct Foundation.URL

@testable import Catalogue
@testable import FileSystemCore

/// Content that is told apart by its seed.
func photo(_ seed: Int, size: Int = 5000) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 97 &+ $0 >> 8) }
}

let anybody = NewAttributes(mode: 0o640, uid: getuid(), gid: getgid())

extension TestFileSystem {
    // MARK: Names

    /// The directory and the last name of a path.
    func place(_ path: String) throws -> Dentry {
        let names = path.split(separator: "/").map { Array($0.utf8) }
        var parent = ResourceID.root
        for name in names.dropLast() { parent = try #require(try core.lookup(Dentry(parent, name))).row.id }
        return Dentry(parent, names.last ?? [])
    }

    /// The row of a path, as the catalogue has it now; nil if nothing has that name.
    func row(_ path: String) throws -> Resource? {
        let dentry = try place(path)
        return try core.catalogue.read { reader throws(CatalogueError) in try reader.lookup(dentry)
        }
    }

    /// The row that a resource has now, deleted or not.
    func row(_ id: ResourceID) throws -> Resource { try core.catalogue.row(id) }

    func id(_ path: String) throws -> ResourceID { try #require(try row(path), "\(path) has no row").id }

    @discardableResult
    func makeDirectory(_ path: String) throws -> ResourceID {
        let dentry = try place(path)
        return try core.makeDirectory(
            dentry, NewAttributes(mode: 0o755, uid: getuid(), gid: getgid())
        )
        .row.id
    }

    func remove(_ path: String, directory: Bool = false) throws {
        let dentry = try place(path)
        try core.remove(dentry, directory: directory)
    }

    func rename(_ from: String, _ to: String, noReplace: Bool = false) throws {
        let (source, target) = (try place(from), try place(to))
        try core.rename(from: source, to: target, noReplace: noReplace)
    }

    // MARK: Content

    func create(_ path: String) throws -> FileHandle {
        let dentry = try place(path)
        return try core.createFile(dentry, anybody).handle
    }

    func open(_ path: String, writing: Bool = false, truncating: Bool = false) async throws -> FileHandle {
        let core = core
        switch try core.open(id(path), writing: writing, truncating: truncating) {
        case .ready(let handle): return handle
        case .mustPrepare(let handle, _):
            do {
                try await core.prepare(handle)
            } catch {
                core.close(handle)
                throw error
            }
            return handle
        }
    }

    /// What pwrite(2) does; fetches a missing main copy first.
    func put(_ handle: FileHandle, _ bytes: [UInt8], at offset: Int = 0) async throws {
        let core = core
        if !core.isReadyForChange(handle.file) { try await core.prepareForChange(handle.file) }
        let count = try core.write(handle.file, byteRange(Int64(offset), bytes.count)) { descriptor in
            let count = pwrite(descriptor, bytes, bytes.count, off_t(offset))
            return count < 0 ? -Int(errno) : count
        }
        #expect(count == bytes.count)
    }

    /// Creates or empties a file, writes, and closes; throws what the close says.
    func write(_ path: String, _ bytes: [UInt8]) async throws {
        let core = core
        let handle = try row(path) == nil ? create(path) : await open(path, writing: true, truncating: true)
        defer { core.close(handle) }
        try await put(handle, bytes)
        try await core.flush(handle)
    }

    /// Backs up the first photo under a name, and writes the second over it without a close.
    func overwriteWithoutClose(_ path: String) async throws {
        try await write(path, photo(1))
        let handle = try await open(path, writing: true)
        try await put(handle, photo(2))
    }

    /// All that a handle reads.
    func content(_ handle: FileHandle) async throws -> [UInt8] {
        if handle.file.descriptor == nil { try await core.recover(handle.file) }
        let descriptor = try #require(handle.file.descriptor)
        return try LocalFile(descriptor.number).contents(length: Int64(descriptor.status().st_size))
    }

    /// Opens, reads all, and closes.
    func read(_ path: String) async throws -> [UInt8] {
        let core = core
        let handle = try await open(path)
        defer { core.close(handle) }
        return try await content(handle)
    }

    // MARK: Behind the mount

    func mainPath(_ path: String) -> String { main + "/" + path }

    /// What MAIN has under a path; nil if nothing.
    func inMain(_ path: String) -> [UInt8]? {
        FileManager.default.contents(atPath: mainPath(path)).map { [UInt8]($0) }
    }

    /// The inode number that MAIN has under a path; 0 if nothing.
    func inode(_ path: String) -> UInt64 {
        var status = stat()
        return lstat(mainPath(path), &status) == 0 ? UInt64(status.st_ino) : 0
    }

    /// Rename.1 alone, as when the daemon dies after it.
    @discardableResult
    func recordRename(_ from: String, _ to: String) throws -> Renamed {
        let (source, target, inode) = (try place(from), try place(to), inode(from))
        return try core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.rename(
                from: source, to: target, noReplace: false, sourceInode: inode,
                now: currentTime())
        }
    }

    /// Delete.2 alone, as when the daemon dies after it.
    func recordDelete(_ path: String) throws {
        let dentry = try place(path)
        try core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            _ = try writer.delete(dentry, directory: false, now: currentTime())
        }
    }

    /// Puts a file into MAIN, behind the mount.
    ///
    /// Its time is long ago: within one tick of the kernel's clock a file can change and keep its time.
    func plant(_ path: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: mainPath(path)))
        let times = [timespec(tv_sec: 1_000_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000_000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, mainPath(path), times, 0) == 0)
    }

    /// Changes one byte of a file in MAIN and leaves its size, inode and times as they are: a bit that has rotten.
    func rot(_ path: String, at offset: Int) throws {
        var status = stat()
        #expect(stat(mainPath(path), &status) == 0)
        let file = Glibc.open(mainPath(path), O_RDWR)
        var byte: UInt8 = 0
        #expect(pread(file, &byte, 1, off_t(offset)) == 1)
        byte ^= 1
        #expect(pwrite(file, &byte, 1, off_t(offset)) == 1)
        #expect(futimens(file, [status.st_atim, status.st_mtim]) == 0)
        #expect(Glibc.close(file) == 0)
    }

    /// Takes a file or directory out of MAIN, behind the mount.
    func lose(_ path: String) throws { try FileManager.default.removeItem(atPath: mainPath(path)) }

    private func names(_ directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: main + "/.backupfs/" + directory).sorted()
    }

    /// The contents of the files that were set aside, in that order.
    func aside() throws -> [[UInt8]?] {
        try core.catalogue.read { reader throws(CatalogueError) in try reader.setAside(after: 0, limit: 1000) }.map {
            entry in
            let path = String(decoding: Array(entry.path.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
            return inMain(".backupfs/aside/\(entry.id)/\(path)")
        }
    }

    /// The names in staging.
    func staged() throws -> [String] { try names("staging") }

    /// The keys of files' objects in backup.
    var keys: [String] { memory.keys.filter { !$0.hasPrefix(".backupfs/") } }

    /// The keys that files' contents were sent to, in order.
    var uploads: [String] {
        memory.requests.filter { $0.method == .put && !$0.key.hasPrefix(".backupfs/") }.map(\.key)
    }

    /// How many downloads of files reached the store.
    var downloads: Int { memory.requests.count { $0.method == .get && !$0.key.hasPrefix(".backupfs/") } }

    /// The key of a file's version in backup.
    func key(_ path: String) throws -> String {
        let row = try #require(try row(path))
        return try #require(try core.catalogue.storedVersion(of: row), "\(path) has no version").key
    }

    /// What backup holds as a file's content.
    func inBackup(_ path: String) throws -> [UInt8]? { memory[try key(path)]?.bytes }
}
