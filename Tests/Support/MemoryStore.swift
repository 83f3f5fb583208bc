// A store in memory that keeps every clause of the ObjectStore contract, and remembers what it was asked.

import ObjectStorage
import Synchronization

/// An object store in memory.
package final class MemoryStore: ObjectStore {
    /// One object as it is kept.
    package struct Object: Sendable, Equatable {
        package var bytes: [UInt8]
        package var attributes: ObjectAttributes

        package init(bytes: [UInt8], attributes: ObjectAttributes = ObjectAttributes()) {
            self.bytes = bytes
            self.attributes = attributes
        }
    }

    private struct State {
        var objects: [String: Object] = [:]
        var requests: [StoreRequest] = []
        var uploads: Set<MultipartUpload> = []
        var age: Duration?
        var recorder: (any UploadRecorder)?
    }

    package let location: String
    package var kind: StoreKind { .local }
    private let outer: MemoryStore?
    private let isConditional: Bool
    /// Guards the objects and the requests; held for no call out of this file.
    private let state = Mutex(State())

    /// A store that lies inside `outer`, if that is given; one that is not conditional offers no `create`.
    package init(location: String = "memory://test", inside outer: MemoryStore? = nil, isConditional: Bool = true) {
        self.location = location
        self.outer = outer
        self.isConditional = isConditional
    }

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        guard isConditional else { return .notOffered }
        try begin(.put, key, deadline)
        return state.withLock { state in
            guard state.objects[key] == nil else { return .taken }
            state.objects[key] = Object(bytes: bytes, attributes: attributes)
            return .created
        }
    }

    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        guard let outer else { return nil }
        return outer[key] == nil ? try await outer.ancestor(holding: key, deadline: deadline) : outer.location
    }

    /// Every request so far, oldest first.
    package var requests: [StoreRequest] { state.withLock { $0.requests } }

    /// The keys that are stored, in bytewise order.
    package var keys: [String] { state.withLock { Self.sorted($0.objects.keys) } }

    /// How many requests of one kind there were, for keys that match.
    package func count(_ method: StoreMethod, _ pattern: KeyPattern = .any) -> Int {
        requests.count { $0.method == method && pattern.matches($0.key) }
    }

    /// One object, or nil; or puts one there, or takes it away, as nobody's request.
    package subscript(key: String) -> Object? {
        get { state.withLock { $0.objects[key] } }
        set { state.withLock { $0.objects[key] = newValue } }
    }

    /// Forgets the requests, not the objects.
    package func forgetRequests() {
        state.withLock { $0.requests = [] }
    }

    /// How old every object is, as far as `head` says.
    package var age: Duration? {
        get { state.withLock { $0.age } }
        set { state.withLock { $0.age = newValue } }
    }

    /// The uploads in parts that are there; puts travel whole, so all of them are a test's.
    package var uploads: Set<MultipartUpload> {
        get { state.withLock { $0.uploads } }
        set { state.withLock { $0.uploads = newValue } }
    }

    /// The record of uploads that the store was given last.
    package var recorder: (any UploadRecorder)? { state.withLock { $0.recorder } }

    package func use(_ recorder: any UploadRecorder) { state.withLock { $0.recorder = recorder } }

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        guard let recorder else { return 0 }
        let recorded = try await recorder.recorded()
        for upload in recorded {
            _ = state.withLock { $0.uploads.remove(upload) }
            await recorder.ended(upload)
        }
        return recorded.count
    }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try begin(.check, "", deadline)
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try begin(.put, key, deadline)
        let bytes: [UInt8]
        switch body {
        case .bytes(let content): bytes = content
        case .file(let descriptor, let length, let digests, let barrier):
            do throws(ObjectStoreError) {
                bytes = try LocalFile(descriptor).contents(length: length)
            } catch .localFile(errno: 5) {
                // EIO: the file is shorter than it was.
                throw .contentChanged(key: key)
            }
            guard ContentDigests(of: bytes).isSameContent(as: digests) else { throw .contentChanged(key: key) }
            try await barrier?.pass()
        }
        state.withLock { $0.objects[key] = Object(bytes: bytes, attributes: attributes) }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try begin(.get, key, deadline)
        guard let object = self[key] else { throw .notFound(key: key) }
        guard object.bytes.count <= limit else {
            throw .corrupted(key: key, reason: "\(object.bytes.count) bytes, more than the \(limit) expected")
        }
        let file = LocalFile(descriptor)
        try file.truncate(to: 0)
        let written = object.bytes.withUnsafeBytes { bytes in
            Result { () throws(ObjectStoreError) in try file.writeSparsely(bytes, at: 0) }
        }
        try written.get()
        try file.truncate(to: Int64(object.bytes.count))
        var summary = Self.summary(object)
        summary.sha256 = BodyDigests(of: object.bytes).sha256
        return summary
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        try begin(.head, key, deadline)
        var summary = self[key].map(Self.summary)
        summary?.age = age
        return summary
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try begin(.delete, key, deadline)
        self[key] = nil
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try begin(.list, prefix, deadline)
        return state.withLock { state in
            let wanted = Self.sorted(state.objects.keys.filter { $0.hasPrefix(prefix) }).drop { name in
                key.map { !$0.utf8.lexicographicallyPrecedes(name.utf8) } ?? false
            }
            return wanted.prefix(1000).map {
                ListedObject(key: $0, size: Int64(state.objects[$0]?.bytes.count ?? 0))
            }
        }
    }

    private func begin(
        _ method: StoreMethod, _ key: String, _ deadline: ContinuousClock.Instant
    ) throws(ObjectStoreError) {
        state.withLock { $0.requests.append(StoreRequest(method, key)) }
        guard deadline > .now else { throw .deadlineExceeded(reason: "the deadline has passed") }
    }

    private static func summary(_ object: Object) -> ObjectSummary {
        ObjectSummary(size: Int64(object.bytes.count), metadata: object.attributes.metadata)
    }

    private static func sorted(_ keys: some Sequence<String>) -> [String] {
        keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
