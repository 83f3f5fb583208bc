// A store whose calls are tried again. What is tried again, and when, is the `Retrier`'s; a call that sends its object in
// parts is told which call it is, so that its parts are tried again by the same one.

import Logging

/// An object store that tries requests again while their deadline lasts.
package final class RetryingStore: ObjectStore {
    private let inner: any ObjectStore
    private let retrier: Retrier

    /// Wraps `inner`; `pause` waits, and returns early when its task is cancelled.
    ///
    /// `now` is the budget's clock. `hold` is told when the store is known to be down and when it is back: between the two
    /// `inner` is to end requests that it has not sent yet with `.unreachable`, all but checks.
    package init(
        _ inner: any ObjectStore, backoff: Backoff = Backoff(), logger: Logger,
        pause: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        hold: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        self.inner = inner
        retrier = Retrier(
            backoff: backoff, logger: logger, pause: pause, now: now,
            probe: { deadline async throws(ObjectStoreError) in try await inner.check(deadline: deadline) }, hold: hold)
    }

    package var location: String { inner.location }
    package var kind: StoreKind { inner.kind }
    package var discoveries: [StoreDiscovery] { inner.discoveries }
    package var proof: String? { inner.proof }
    package var outage: ObjectStoreError? { retrier.outage }
    package var largestObject: Int64 { inner.largestObject }

    package var streaming: StreamOffer? { inner.streaming }

    package func digestPlan(length: Int64) -> DigestPlan { inner.digestPlan(length: length) }
    package func use(_ recorder: any UploadRecorder) { inner.use(recorder) }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await retrier.call("check", "", deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.check(deadline: deadline)
        }
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await retrier.call("put", key, deadline: deadline) { call async throws(ObjectStoreError) in
            try await inner.put(key, body, attributes, as: call, deadline: deadline)
        }
    }

    package func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as _: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? {
        try await retrier.call("put", key, deadline: deadline) { call async throws(ObjectStoreError) in
            try await inner.beginStream(key, attributes, as: call, deadline: deadline)
        }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await retrier.call("get", key, deadline: deadline) { call async throws(ObjectStoreError) in
            try await inner.get(key, into: descriptor, limit: limit, as: call, deadline: deadline)
        }
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        try await retrier.call("head", key, deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.head(key, deadline: deadline)
        }
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await retrier.call("delete", key, deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.delete(key, deadline: deadline)
        }
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try await retrier.call("list", prefix, deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.list(prefix: prefix, after: key, deadline: deadline)
        }
    }

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        try await retrier.call("put", key, deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.create(key, bytes, attributes, deadline: deadline)
        }
    }

    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        try await retrier.call("list", key, deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.ancestor(holding: key, deadline: deadline)
        }
    }

    package func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        try await retrier.call("delete", "\(keys.count) keys", deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.delete(keys, deadline: deadline)
        }
    }

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        try await retrier.call("abort", "", deadline: deadline) { _ async throws(ObjectStoreError) in
            try await inner.abortUnfinished(deadline: deadline)
        }
    }
}
