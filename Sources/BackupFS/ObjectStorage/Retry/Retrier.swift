// The only place that tries again and the only one that sleeps. What may be tried again is what `isTransient` says; a put
// carries the same key and the same bytes each time, so that doing it twice is harmless. Two things keep many requests
// from becoming a storm: retries have one budget, and while the store is known to be down nothing is sent but probes.
// docs/S3.md has the table. The breaker is part of this and not a store of its own: it must see each attempt, and it must
// hold a request back between two of them.

import Logging
import Synchronization

/// Tries the requests to one store again while their deadline lasts.
package final class Retrier: Sendable {
    /// Damage in transit is rare; when it comes three times in a row, it is not in transit.
    private static let corruptedAttempts = 3

    private let backoff: Backoff
    private let logger: Logger
    private let pause: @Sendable (Duration) async -> Void
    private let gate: OutageGate
    /// Guards the budget; held for no call out of it.
    private let budget: Mutex<RetryBudget>
    private let now: @Sendable () -> ContinuousClock.Instant

    /// `pause` waits, and returns early when its task is cancelled; `now` is the budget's clock.
    ///
    /// `probe` asks the store whether it can be used, before the deadline that it is told. `hold` is told when the store is
    /// known to be down and when it is back: between the two the store is to end requests that it has not sent yet with
    /// `.unreachable`, all but probes. They wait here.
    package init(
        backoff: Backoff = Backoff(), logger: Logger,
        pause: @escaping @Sendable (Duration) async -> Void,
        now: @escaping @Sendable () -> ContinuousClock.Instant,
        probe: @escaping @Sendable (ContinuousClock.Instant) async throws(ObjectStoreError) -> Void,
        hold: @escaping @Sendable (Bool) -> Void
    ) {
        self.backoff = backoff
        self.logger = logger
        self.pause = pause
        self.now = now
        budget = Mutex(RetryBudget(now: now()))
        let ask = { @Sendable (patience: Duration) async -> CircuitBreaker.Finding in
            do throws(ObjectStoreError) {
                try await probe(.now + patience)
                return .answered
            } catch {
                return CircuitBreaker.Finding(error, after: patience)
            }
        }
        gate = OutageGate(logger: logger, pause: pause, probe: ask, hold: hold)
    }

    /// What is known of the outage that goes on; nil if there is none.
    package var outage: ObjectStoreError? { gate.outage }

    /// Tries a whole call until it works, fails for good, or the next attempt would start after the deadline.
    ///
    /// `request` is told which call it is, so that the requests that make it up can be tried again by themselves.
    package func call<Answer: Sendable>(
        _ operation: String, _ key: String, deadline: ContinuousClock.Instant,
        _ request: (StoreCall) async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        let damages = StoreCall.Damages()
        let call = StoreCall(retrier: self, damages: damages)
        return try await retry(operation, key, deadline, damages) { () async throws(ObjectStoreError) in
            try await request(call)
        }
    }

    fileprivate func retry<Answer: Sendable>(
        _ operation: String, _ key: String, _ deadline: ContinuousClock.Instant, _ damages: StoreCall.Damages,
        _ request: () async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
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
                let answer = try await request()
                gate.note(.answered, began: outages)
                budget.withLock { $0.noteAnswer() }
                return answer
            } catch {
                gate.note(CircuitBreaker.Finding(error, after: .now - started), began: outages)
                // That there was no time left says less than what went wrong before.
                if case .deadlineExceeded = error { throw lastError ?? error }
                if case .corrupted = error { damages.add() }
                guard error.isTransient, damages.count < Self.corruptedAttempts, !Task.isCancelled else { throw error }
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

/// One call of a store, for the requests that make it up.
package struct StoreCall: Sendable {
    /// How often bytes were damaged, in all of a call's requests.
    fileprivate final class Damages: Sendable {
        private let found = Atomic(0)

        var count: Int { found.load(ordering: .relaxed) }

        func add() { found.add(1, ordering: .relaxed) }
    }

    /// A call that nobody tries again: nor are its requests.
    package static let triedOnce = StoreCall(retrier: nil, damages: Damages())

    private let retrier: Retrier?
    private let damages: Damages

    fileprivate init(retrier: Retrier?, damages: Damages) {
        self.retrier = retrier
        self.damages = damages
    }

    /// Tries one of the call's requests by the same rules as the call itself, so that a failure costs a part of a large
    /// object and not all of it.
    ///
    /// The call and all of its requests share one count of damages.
    func part<Answer: Sendable>(
        _ operation: String, _ key: String, deadline: ContinuousClock.Instant,
        _ request: () async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        guard let retrier else { return try await request() }
        return try await retrier.retry(operation, key, deadline, damages, request)
    }
}
