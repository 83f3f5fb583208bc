// Backup storage in a directory, usually on another disk. Below the root:
//
//     shop/2023/IMG_1~0a3kq1v7x2mf.jpg                        an object: its bytes, under its key
//     .backupfs-meta/objects/shop/2023/IMG_1~0a3kq1v7x2mf.jpg  its sidecar: checksum, length, metadata (JSON)
//     .backupfs-meta/staging/                                 files on their way; what a crash leaves is removed later
//     .backupfs-meta/identity                                 tells this store from another disk at the same place
//
// An object appears by one rename, after its bytes and its sidecar are on the disk. One without a sidecar (somebody
// copied the visible files only) can be read, with no metadata: then the catalogue's checksum alone decides.

import Foundation
import Glibc
import Linux
import Synchronization

/// An object store in a directory.
///
/// All work runs on threads of its own; a disk that hangs costs the caller no more than the deadline.
package final class DirectoryStore: ObjectStore {
    static let staging = "\(DirectoryKey.reserved)/staging"
    static let chunk = 256 * 1024

    package let location: String
    private let path: String
    private let queue = BlockingQueue(label: "backupfs.directory", width: 16)
    let durable = DurableDirectories()
    /// The identity of the store when it was first seen; another one later means that the disk is gone.
    private let identity = Mutex<String?>(nil)

    /// A store below `path`, an absolute path; nothing is looked at before the first request.
    package init(path: String) {
        self.path = path
        location = "file://\(path)"
    }

    package var kind: StoreKind { .local }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await run("check", deadline) { tree, _ throws(ObjectStoreError) in
            guard faccessat(tree.root.number, ".", R_OK | W_OK | X_OK, 0) == 0 else {
                throw DirectoryFailure.last.asStoreError(self.location)
            }
            self.removeOldStaging(tree)
        }
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        let key = try DirectoryKey(key)
        let source: Source
        switch body {
        case .bytes(let bytes): source = .bytes(bytes, ContentDigests(of: bytes))
        case .file(let descriptor, let length, let digests, let barrier):
            source = .file(try LocalFile(descriptor).duplicate(), length: length, digests, barrier)
        }
        try await run("put", deadline) { tree, expiry throws(ObjectStoreError) in
            try self.store(key, source, attributes, tree, expiry)
        }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        let key = try DirectoryKey(key)
        let target = try LocalFile(descriptor).duplicate()
        return try await run("get", deadline) { tree, expiry throws(ObjectStoreError) in
            try self.fetch(key, into: target, limit: limit, tree, expiry)
        }
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        let key = try DirectoryKey(key)
        return try await run("head", deadline) { tree, _ throws(ObjectStoreError) in
            guard let object = try self.openObject(key, tree) else { return nil }
            return ObjectSummary(
                size: object.size, metadata: try self.sidecar(key, tree)?.metadata ?? [:], age: object.age)
        }
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        let key = try DirectoryKey(key)
        try await run("delete", deadline) { tree, _ throws(ObjectStoreError) in
            try self.remove(key, tree)
        }
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try await run("list", deadline) { tree, expiry throws(ObjectStoreError) in
            var listing = DirectoryListing(prefix: prefix, after: key, limit: 1000)
            try listing.collect(tree, expiry)
            return listing.found
        }
    }

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        let key = try DirectoryKey(key)
        return try await run("create", deadline) { tree, expiry throws(ObjectStoreError) in
            try self.createFirst(key, bytes, attributes, tree, expiry)
        }
    }

    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        try await run("looking above", deadline) { tree, expiry throws(ObjectStoreError) in
            // Where it really is, whatever links its path goes through.
            var path = try tree.realPath()
            while path != "/" {
                try expiry.check()
                let parent = splitPath(path).parent
                path = parent.isEmpty ? "/" : parent
                if access("\(parent)/\(key)", F_OK) == 0 { return "file://\(path)" }
            }
            return nil
        }
    }

    /// Opens the root and runs one request on the blocking threads.
    private func run<Answer: Sendable>(
        _ operation: String, _ deadline: ContinuousClock.Instant,
        _ work: @escaping @Sendable (DirectoryTree, Expiry) throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        try await queue.run(deadline: deadline) { [self] expiry throws(ObjectStoreError) in
            let number = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard number >= 0 else {
                if errno == ENOENT || errno == ENOTDIR { throw .noSuchBucket(location) }
                throw DirectoryFailure.last.asStoreError(location)
            }
            let tree = DirectoryTree(root: Descriptor(number))
            try recognize(tree)
            return try work(tree, expiry)
        }
    }

    /// An unmounted disk must not look like a store whose objects are all gone.
    private func recognize(_ tree: DirectoryTree) throws(ObjectStoreError) {
        let known = identity.withLock { $0 }
        let found = try readSmallFile("\(DirectoryKey.reserved)/identity", tree, longest: 64)
            .map { String(decoding: $0, as: UTF8.self) }
        let isSame = identity.withLock { identity in
            if identity == nil { identity = found }
            // A new store may get its identity from another request after this one has looked.
            return identity == found || (known == nil && found == nil)
        }
        guard isSame else {
            throw .unreachable(reason: "\(path) is not the directory that it was: is its disk mounted?")
        }
    }

    /// Gives a new store its identity, before its first object.
    func identify(_ tree: DirectoryTree) throws(ObjectStoreError) {
        guard identity.withLock({ $0 }) == nil else { return }
        let text = UUID().uuidString
        try place([UInt8](text.utf8), at: "\(DirectoryKey.reserved)/identity", replacing: false, tree)
        try recognize(tree)
    }
}
