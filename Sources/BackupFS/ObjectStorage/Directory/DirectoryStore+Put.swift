// How an object comes into a directory: bytes and sidecar are written to staging and synced, the sidecar is renamed, then
// the object, and both directories are synced. A crash leaves at most a sidecar without an object, which counts for
// nothing and is replaced by the next attempt.

import Foundation
import Glibc
import Linux

extension DirectoryStore {
    /// What is to be stored; the descriptor is the request's own.
    enum Source: Sendable {
        case bytes([UInt8], ContentDigests)
        case file(Descriptor, length: Int64, ContentDigests, WriteAheadBarrier?)

        var digests: ContentDigests {
            switch self {
            case .bytes(_, let digests), .file(_, _, let digests, _): digests
            }
        }

        var length: Int64 {
            switch self {
            case .bytes(let bytes, _): Int64(bytes.count)
            case .file(_, let length, _, _): length
            }
        }
    }

    func store(
        _ key: DirectoryKey, _ source: Source, _ attributes: ObjectAttributes, _ tree: DirectoryTree, _ expiry: Expiry
    ) throws(ObjectStoreError) {
        try identify(tree)
        if try isStored(key, source, tree, expiry) { return }
        let sidecar = ObjectSidecar(attributes, sha256: source.digests.sha256Hex, size: source.length)
        let staged = try StagedFile(tree, durable)
        try write(source, key, to: staged.file, expiry)
        try attempt("fsync") { () throws(DirectoryFailure) in try tree.sync(staged.file) }
        try place(sidecar.json, at: key.sidecarPath, replacing: true, tree)
        if case .file(_, _, _, let barrier?) = source { try barrier.pass(expiry) }
        try expiry.check()
        do throws(ObjectStoreError) {
            try place(staged, at: key.objectPath, replacing: false, tree)
        } catch .rejected(let rejection, let message) {
            // Another attempt of the same request was faster.
            guard try isStored(key, source, tree, expiry) else { throw .rejected(rejection, message: message) }
        }
    }

    /// Stores an object unless one is there; one at a time, since whoever comes second must not touch the first's sidecar.
    func createFirst(
        _ key: DirectoryKey, _ bytes: [UInt8], _ attributes: ObjectAttributes, _ tree: DirectoryTree, _ expiry: Expiry
    ) throws(ObjectStoreError) -> Creation {
        try identify(tree)
        let lock: Descriptor
        do throws(DirectoryFailure) {
            lock = try tree.open("\(DirectoryKey.reserved)/create.lock", O_RDWR | O_CREAT)
        } catch {
            throw error.asStoreError("locking")
        }
        // The kernel lets go of it with the descriptor, and with a process that dies.
        while flock(lock.number, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw DirectoryFailure.last.asStoreError("locking") }
            try expiry.check()
            usleep(10_000)
        }
        if try openObject(key, tree) != nil { return .taken }
        try store(key, .bytes(bytes, ContentDigests(of: bytes)), attributes, tree, expiry)
        return .created
    }

    /// Whether the object is there already, with just these bytes: an earlier attempt whose answer was lost.
    private func isStored(
        _ key: DirectoryKey, _ source: Source, _ tree: DirectoryTree, _ expiry: Expiry
    ) throws(ObjectStoreError) -> Bool {
        guard let object = try openObject(key, tree) else { return false }
        let sum = hexadecimal(try checksum(object, expiry) { _, _ throws(ObjectStoreError) in })
        guard object.size == source.length, sum == source.digests.sha256Hex, try sidecar(key, tree)?.sha256 == sum
        else {
            throw .rejected(.objectExists, message: "the key \(key.text) has another content already")
        }
        // What the earlier attempt renamed may not be on the disk yet.
        for path in [key.sidecarPath, key.objectPath] {
            try attempt("fsync") { () throws(DirectoryFailure) in
                try tree.sync(try tree.makeDirectory(splitPath(path).parent, durable: self.durable))
            }
        }
        return true
    }

    private func write(
        _ source: Source, _ key: DirectoryKey, to file: Descriptor, _ expiry: Expiry
    ) throws(ObjectStoreError) {
        switch source {
        case .bytes(let bytes, _):
            try writeStored(bytes, file)
        case .file(let descriptor, let length, let digests, _):
            let digester = MessageDigest.sha256()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 4096)
            defer { buffer.deallocate() }
            var offset: Int64 = 0
            while offset < length {
                try expiry.check()
                let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(length - offset))])
                let count = try LocalFile(descriptor.number).read(at: offset, into: wanted)
                guard count == wanted.count else { throw .contentChanged(key: key.text) }
                digester.update(UnsafeRawBufferPointer(wanted))
                try writeStored(UnsafeRawBufferPointer(wanted), file, at: offset)
                offset += Int64(count)
            }
            guard digester.finish() == digests.sha256 else { throw .contentChanged(key: key.text) }
        }
    }

    /// Writes to a file of the store: its disk is the backup storage, not our own file.
    private func writeStored(
        _ bytes: UnsafeRawBufferPointer, _ file: Descriptor, at offset: Int64
    ) throws(ObjectStoreError) {
        do throws(ObjectStoreError) {
            try LocalFile(file.number).write(bytes, at: offset)
        } catch .localFile(let code) {
            throw DirectoryFailure(code).asStoreError(location)
        }
    }

    private func writeStored(_ bytes: [UInt8], _ file: Descriptor) throws(ObjectStoreError) {
        try bytes.withUnsafeBufferPointer { bytes throws(ObjectStoreError) in
            try writeStored(UnsafeRawBufferPointer(bytes), file, at: 0)
        }
    }

    /// Puts a small file at a path, all or nothing, and on the disk.
    ///
    /// One that is there already stays, unless it is to be replaced.
    func place(_ bytes: [UInt8], at path: String, replacing: Bool, _ tree: DirectoryTree) throws(ObjectStoreError) {
        let staged = try StagedFile(tree, durable)
        try writeStored(bytes, staged.file)
        try attempt("fsync") { () throws(DirectoryFailure) in try tree.sync(staged.file) }
        do throws(ObjectStoreError) {
            try place(staged, at: path, replacing: replacing, tree)
        } catch .rejected(.system(errno: EEXIST), _) {
            return
        }
    }

    private func place(
        _ staged: StagedFile, at path: String, replacing: Bool, _ tree: DirectoryTree
    ) throws(ObjectStoreError) {
        let (parent, name) = splitPath(path)
        try attempt(path) { () throws(DirectoryFailure) in
            // A removal beside us may take the empty directory away before the rename.
            for remaining in (0..<10).reversed() {
                do throws(DirectoryFailure) {
                    let directory = try tree.makeDirectory(parent, durable: self.durable)
                    if replacing {
                        guard renameat(staged.directory.number, staged.name, directory.number, name) == 0 else {
                            throw .last
                        }
                    } else {
                        try tree.moveExclusively(staged.directory, staged.name, to: directory, name)
                    }
                    return try tree.sync(directory)
                } catch {
                    guard error.code == ENOENT, remaining > 0 else { throw error }
                }
            }
        }
    }
}

/// A file in staging that is removed at the end, unless it was renamed.
final class StagedFile {
    let directory: Descriptor
    let name = UUID().uuidString
    let file: Descriptor

    init(_ tree: DirectoryTree, _ durable: DurableDirectories) throws(ObjectStoreError) {
        do throws(DirectoryFailure) {
            directory = try tree.makeDirectory(DirectoryStore.staging, durable: durable)
            file = try DirectoryTree(root: directory).open(name, O_RDWR | O_CREAT | O_EXCL)
        } catch {
            throw error.asStoreError("creating a file")
        }
    }

    deinit { unlinkat(directory.number, name, 0) }
}
