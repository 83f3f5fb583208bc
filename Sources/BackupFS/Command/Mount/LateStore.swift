import ObjectStorage
import Synchronization

/// A backup storage that cannot be made yet, because a file with credentials is missing or cannot be read, say.
///
/// Each request tries again to make it and fails with the reason; from the first success on that store answers.
final class LateStore: ObjectStore {
    let location: String
    let kind: StoreKind
    private let make: @Sendable () throws(PreflightFailure) -> any ObjectStore
    /// Guards the store, nil until it could be made; held while it is made, so that it is made once.
    private let made = Mutex<(any ObjectStore)?>(nil)
    /// What the store is to be given when it is made.
    private let recorder = Mutex<(any UploadRecorder)?>(nil)

    init(_ url: BackupURL, _ make: @escaping @Sendable () throws(PreflightFailure) -> any ObjectStore) {
        location = "\(url)"
        kind = StoreKind(url)
        self.make = make
    }

    var discoveries: [StoreDiscovery] { known?.discoveries ?? [] }

    var proof: String? { known?.proof }

    var outage: ObjectStoreError? { known?.outage }

    func digestPlan(length: Int64) -> DigestPlan { known?.digestPlan(length: length) ?? .content }

    var streaming: StreamOffer? { known?.streaming }

    var largestObject: Int64 { known?.largestObject ?? .max }

    func use(_ recorder: any UploadRecorder) {
        self.recorder.withLock { $0 = recorder }
        known?.use(recorder)
    }

    func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        try await store().create(key, bytes, attributes, deadline: deadline)
    }

    func ancestor(holding key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> String? {
        try await store().ancestor(holding: key, deadline: deadline)
    }

    func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await store().check(deadline: deadline)
    }

    func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await store().put(key, body, attributes, deadline: deadline)
    }

    func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? {
        try await store().beginStream(key, attributes, as: call, deadline: deadline)
    }

    func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await store().get(key, into: descriptor, limit: limit, deadline: deadline)
    }

    func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary? {
        try await store().head(key, deadline: deadline)
    }

    func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await store().delete(key, deadline: deadline)
    }

    func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        try await store().delete(keys, deadline: deadline)
    }

    func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        try await store().abortUnfinished(deadline: deadline)
    }

    func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try await store().list(prefix: prefix, after: key, deadline: deadline)
    }

    private var known: (any ObjectStore)? { made.withLock { $0 } }

    private func store() throws(ObjectStoreError) -> any ObjectStore {
        let outcome = made.withLock { made -> Result<any ObjectStore, PreflightFailure> in
            if let made { return .success(made) }
            do throws(PreflightFailure) {
                let new = try make()
                if let recorder = recorder.withLock({ $0 }) { new.use(recorder) }
                made = new
                return .success(new)
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let store): return store
        case .failure(let failure): throw .unreachable(reason: "\(failure)")
        }
    }
}
