import Foundation
import Glibc
import Linux

extension DirectoryStore {
    /// An object's open file.
    struct OpenObject {
        let file: Descriptor
        /// In bytes.
        let size: Int64
        /// How long ago it was stored.
        let age: Duration
    }

    /// Opens an object; nil if it is not there.
    func openObject(_ key: DirectoryKey, _ tree: DirectoryTree) throws(ObjectStoreError) -> OpenObject? {
        let file: Descriptor
        do throws(DirectoryFailure) {
            // O_NONBLOCK: a FIFO that somebody put there must not hang us.
            file = try tree.open(key.objectPath, O_RDONLY | O_NONBLOCK)
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error.asStoreError(key.text)
        }
        guard let status = try? file.readStatus() else { throw DirectoryFailure.last.asStoreError(key.text) }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        return OpenObject(
            file: file, size: Int64(status.st_size), age: .seconds(max(0, time(nil) - status.st_mtim.tv_sec)))
    }

    /// What is kept about an object; nil if its sidecar is missing.
    ///
    /// Throws `.corrupted` if the sidecar is damaged.
    func sidecar(_ key: DirectoryKey, _ tree: DirectoryTree) throws(ObjectStoreError) -> ObjectSidecar? {
        guard let text = try readSmallFile(key.sidecarPath, tree, longest: ObjectSidecar.longest) else { return nil }
        guard let sidecar = ObjectSidecar(json: text) else {
            throw .corrupted(key: key.text, reason: "its checksum file is damaged")
        }
        return sidecar
    }

    /// A small file of the store; nil if it is not there.
    func readSmallFile(_ path: String, _ tree: DirectoryTree, longest: Int64) throws(ObjectStoreError) -> [UInt8]? {
        let file: Descriptor
        do throws(DirectoryFailure) {
            file = try tree.open(path, O_RDONLY | O_NONBLOCK)
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error.asStoreError(path)
        }
        guard let status = try? file.readStatus() else { throw DirectoryFailure.last.asStoreError(path) }
        do throws(ObjectStoreError) {
            return try LocalFile(file.number).contents(length: min(Int64(status.st_size), longest))
        } catch .localFile(let code) {
            throw DirectoryFailure(code).asStoreError(path)
        }
    }

    func fetch(
        _ key: DirectoryKey, into target: Descriptor, limit: Int64, _ tree: DirectoryTree, _ expiry: Expiry
    ) throws(ObjectStoreError) -> ObjectSummary {
        guard let object = try openObject(key, tree) else { throw .notFound(key: key.text) }
        guard object.size <= limit else {
            throw .corrupted(key: key.text, reason: "\(object.size) bytes, more than the \(limit) expected")
        }
        let sidecar = try sidecar(key, tree)
        if let sidecar, sidecar.size != object.size {
            throw .corrupted(key: key.text, reason: "\(object.size) bytes instead of \(sidecar.size)")
        }
        let local = LocalFile(target.number)
        try local.truncate(to: 0)
        let sum = try checksum(object, expiry) { bytes, offset throws(ObjectStoreError) in
            try local.writeSparsely(bytes, at: offset)
        }
        try local.truncate(to: object.size)
        if let sidecar, sidecar.sha256 != hexadecimal(sum) {
            throw .corrupted(key: key.text, reason: "its checksum is not the one it was stored with")
        }
        return ObjectSummary(size: object.size, metadata: sidecar?.metadata ?? [:], sha256: sum)
    }

    /// Reads an object piece by piece; returns its SHA-256.
    func checksum(
        _ object: OpenObject, _ expiry: Expiry,
        _ use: (UnsafeRawBufferPointer, Int64) throws(ObjectStoreError) -> Void
    ) throws(ObjectStoreError) -> [UInt8] {
        let digester = MessageDigest.sha256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < object.size {
            try expiry.check()
            let wanted = UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<min(buffer.count, Int(object.size - offset))])
            let count: Int
            do throws(ObjectStoreError) {
                count = try LocalFile(object.file.number).read(at: offset, into: wanted)
            } catch .localFile(let code) {
                throw DirectoryFailure(code).asStoreError("reading an object")
            }
            guard count > 0 else { break }
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(wanted)[..<count])
            digester.update(bytes)
            try expiry.check()
            try use(bytes, offset)
            offset += Int64(count)
        }
        return digester.finish()
    }

    func remove(_ key: DirectoryKey, _ tree: DirectoryTree) throws(ObjectStoreError) {
        try unlink(key.objectPath, upTo: ".", tree)
        try unlink(key.sidecarPath, upTo: "\(DirectoryKey.reserved)/objects", tree)
    }

    private func unlink(_ path: String, upTo stop: String, _ tree: DirectoryTree) throws(ObjectStoreError) {
        let (parent, name) = splitPath(path)
        do throws(DirectoryFailure) {
            let directory = try tree.openDirectory(parent)
            guard unlinkat(directory.number, name, 0) == 0 else { throw .last }
            try tree.sync(directory)
        } catch {
            guard error.code == ENOENT || error.code == ENOTDIR else { throw error.asStoreError(path) }
        }
        tree.removeEmptyDirectories(parent, upTo: stop, durable: durable)
    }

    /// Removes what crashes left in staging a day ago or earlier, as far as it goes.
    func removeOldStaging(_ tree: DirectoryTree) {
        guard let directory = try? tree.openDirectory(Self.staging),
            let names = try? DirectoryListing.names(directory)
        else { return }
        let limit = time(nil) - 86400
        for name in names {
            var status = stat()
            guard fstatat(directory.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            if status.st_mtim.tv_sec < limit { unlinkat(directory.number, name, 0) }
        }
    }

    /// Runs system calls; their failure becomes a store's error.
    func attempt(_ operation: String, _ body: () throws(DirectoryFailure) -> Void) throws(ObjectStoreError) {
        do throws(DirectoryFailure) { try body() } catch { throw error.asStoreError(operation) }
    }
}
