// The only place that tries again and the only one that sleeps. What may be tried again is what `isTransient` says; a put
// carries the same key and the same bytes each time, so that doing it twice is harmless. Two things keep many requests
// from becoming a storm: retries have one budget, and while the store is known to be down nothing is sent but probes.
// docs/S3.md has the table. The breaker is part of this store and not a wrapper of its own: it must see each attempt,
// and it must hold a request back between two of them.

import Logging
import Synchronization

/// An object store that tries requests again while their deadline lasts.
package final class RetryingStore: ObjectStore {
    /// Damage in transit is rare; when it comes three times in a row, it is not in transit.
    private static let corruptedAttempts = 3

    private let inner: any ObjectStore
    private let backoff: Backoff
    private let logger: Logger
    private let pause: @Sendable (Duration) async -> Void
    private let gate: OutageGate
    /// Guards the budget; held for no call out of it.
    private let budget: Mutex<RetryBudget>
    private let now: @Sendable () -> ContinuousClock.Instant

    /// Wraps `inner`; `pause` waits, and returns early when its task is cancelled.
    ///
    /// `now` is the budget's clock. `hold` is told when the store is known to be down and when it is back: between the two `inner` is to end requests
    /// that it has not sent yet with `.unreachable`, all but checks. They wait here.
    package init(
        _ inner: any ObjectStore, backoff: Backoff = Backoff(), logger: Logger,
        pause: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        hold: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        self.inner = inner
        self.backoff = backoff
        self.logger = logger
        self.pause = pause
        self.now = now
        budget = Mutex(RetryBudget(now: now()))
        let probe = { @Sendable (patience: Duration) async -> CircuitBreaker.Finding in
            do throws(ObjectStoreError) {
                try await inner.check(deadline: .now + patience)
                return .answered
            } catch {
                return CircuitBreaker.Finding(error, after: patience)
            }
        }
        gate = OutageGate(logger: logger, pause: pause, probe: probe, hold: hold)
    }

    package var location: String { inner.location }
    package var discoveries: [StoreDiscovery] { inner.discoveries }
    package var proof: String? { inner.proof }
    package var outage: ObjectStoreError? { gate.outage }
    package var largestObject: Int64 { inner.largestObject }

    package func digestPlan(length: Int64) -> DigestPlan { inner.digestPlan(length: length) }
    package func use(_ recorder: any UploadRecorder) { inner.use(recorder) }

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

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        try await retry("put", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.create(key, bytes, attributes, deadline: deadline)
        }
    }

    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        try await retry("list", key, deadline) { inner async throws(ObjectStoreError) in
            try await inner.ancestor(holding: key, deadline: deadline)
        }
    }

    package func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        try await retry("delete", "\(keys.count) keys", deadline) { inner async throws(ObjectStoreError) in
            try await inner.delete(keys, deadline: deadline)
        }
    }

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        try await retry("abort", "", deadline) { inner async throws(ObjectStoreError) in
            try await inner.abortUnfinished(deadline: deadline)
        }
    }

    /// One call of this store, as the store behind sees it while it works for it.
    private struct Call: Sendable {
        let store: RetryingStore
        /// How often bytes were damaged, in all of the call's requests.
        let damages = Counter()
    }

    private final class Counter: Sendable {
        private let count = Atomic(0)

        var value: Int { count.load(ordering: .relaxed) }

        func add() { count.add(1, ordering: .relaxed) }
    }

    @TaskLocal private static var call: Call?

    /// Tries one of several requests that make up a call by the same rules as the call itself, so that a failure costs
    /// a part of a large object and not all of it; once, if nobody retries the call.
    static func part<Answer: Sendable>(
        _ operation: String, _ key: String, deadline: ContinuousClock.Instant,
        _ request: () async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        guard let call else { return try await request() }
        return try await call.store.retry(operation, key, deadline, call) { _ async throws(ObjectStoreError) in
            try await request()
        }
    }

    /// Tries until it works, fails for good, or the next attempt would start after the deadline.
    private func retry<Answer: Sendable>(
        _ operation: String, _ key: String, _ deadline: ContinuousClock.Instant, _ outer: Call? = nil,
        _ request: (any ObjectStore) async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        let call = outer ?? Call(store: self)
        var failures = 0
        var lastError: ObjectStoreError?
        while true {
            let outages: Int
            do throws(ObjectStoreError) {
                outages = try await gate.pass(deadline: deadline)
            } catch {
                throw lastError ?? error
            }
            let started = ContinuousClock.now
            do throws(ObjectStoreError) {
                let outcome = await Self.$call.withValue(call) {
                    await Result { () async throws(ObjectStoreError) in try await request(inner) }
                }
                let answer = try outcome.get()
                gate.note(.answered, began: outages)
                budget.withLock { $0.noteAnswer() }
                return answer
            } catch {
                gate.note(CircuitBreaker.Finding(error, after: .now - started), began: outages)
                // That there was no time left says less than what went wrong before.
                if case .deadlineExceeded = error { throw lastError ?? error }
                if case .corrupted = error { call.damages.add() }
                guard error.isTransient, call.damages.value < Self.corruptedAttempts, !Task.isCancelled else {
                    throw error
                }
                failures += 1
                lastError = error
                // During an outage the gate is the wait, and what comes after it is no storm: nobody was sent meanwhile.
                if gate.outages == outages {
                    try await waitForRetry(operation, key, failures, error, deadline)
                }
            }
        }
    }

    /// Waits for the time of the next attempt and for a token of the budget; throws `error` if the deadline comes first.
    private func waitForRetry(
        _ operation: String, _ key: String, _ failures: Int, _ error: ObjectStoreError,
        _ deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        var wait = max(backoff.wait(afterFailures: failures), error.retryAfter ?? .zero)
        repeat {
            guard .now + wait < deadline else { throw error }
            logger.debug(
                "a request to backup storage failed and is tried again",
                metadata: [
                    "op": "\(operation)", "key": "\(key)", "error": "\(error)", "failures": "\(failures)",
                    "wait": "\(wait)",
                ])
            await pause(wait)
            guard !Task.isCancelled else { throw error }
            wait = backoff.longest * Double.random(in: 0.1...1)
        } while !budget.withLock { $0.take(now: now()) }
    }
}
