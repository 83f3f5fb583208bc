// The only place that tries again and the only one that sleeps. What may be tried again is what `isTransient` says; a put
// carries the same key and the same bytes each time, so that doing it twice is harmless.

import Logging

/// An object store that tries requests again while their deadline lasts.
package final class RetryingStore: ObjectStore {
    /// How long to wait before the next attempt: exponential with full jitter, so that many clients spread out.
    package struct Backoff: Sendable {
        /// The longest first wait.
        package var first: Duration
        /// The longest of all waits.
        package var longest: Duration

        package init(first: Duration = .milliseconds(50), longest: Duration = .seconds(2)) {
            self.first = first
            self.longest = longest
        }

        /// The longest wait after the given number of failures, at least 1.
        package func ceiling(afterFailures count: Int) -> Duration {
            min(longest, first * (1 << min(20, count - 1)))
        }
    }

    /// Damage in transit is rare; when it comes three times in a row, it is not in transit.
    private static let corruptedAttempts = 3

    private let inner: any ObjectStore
    private let backoff: Backoff
    private let logger: Logger
    private let pause: @Sendable (Duration) async -> Void

    /// Wraps `inner`; `pause` waits, and returns early when its task is cancelled.
    package init(
        _ inner: any ObjectStore, backoff: Backoff = Backoff(), logger: Logger,
        pause: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
    ) {
        self.inner = inner
        self.backoff = backoff
        self.logger = logger
        self.pause = pause
    }

    package var location: String { inner.location }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await retry("check", "", deadline) { inner async throws(ObjectStoreError) in
            try await inner.check(deadline: deadline)
        }
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await retry("put", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.put(key, body, attributes, deadline: deadline)
        }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await retry("get", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.get(key, into: descriptor, limit: limit, deadline: deadline)
        }
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        try await retry("head", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.head(key, deadline: deadline)
        }
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await retry("delete", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.delete(key, deadline: deadline)
        }
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try await retry("list", prefix, deadline) { inner async throws(ObjectStoreError) in
            try await inner.list(prefix: prefix, after: key, deadline: deadline)
        }
    }

    /// Tries until it works, fails for good, or the next attempt would start after the deadline.
    private func retry<Answer: Sendable>(
        _ operation: String, _ key: String, _ deadline: ContinuousClock.Instant,
        _ request: (any ObjectStore) async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        var failures = 0
        var damages = 0
        var lastError: ObjectStoreError?
        while true {
            do throws(ObjectStoreError) {
                return try await request(inner)
            } catch {
                // That there was no time left says less than what went wrong before.
                if case .deadlineExceeded = error { throw lastError ?? error }
                if case .corrupted = error { damages += 1 }
                guard error.isTransient, damages < Self.corruptedAttempts else { throw error }
                failures += 1
                lastError = error
                let wait = backoff.ceiling(afterFailures: failures) * Double.random(in: 0...1)
                guard !Task.isCancelled, .now + wait < deadline else { throw error }
                logger.debug(
                    "a request to backup storage failed and is tried again",
                    metadata: [
                        "op": "\(operation)", "key": "\(key)", "error": "\(error)", "failures": "\(failures)",
                        "wait": "\(wait)",
                    ])
                await pause(wait)
                guard !Task.isCancelled else { throw error }
            }
        }
    }
}
