// One piece of slow work that several callers wait for: two closes of one file share an upload, two readers of a missing
// file share a download. Each caller waits with its own deadline; the work goes on when a caller gives up.

import Linux
import Synchronization

/// The outcome of a task, waited for by any number of callers.
final class SharedWork: Sendable {
    typealias Outcome = Result<Void, FileSystemError>

    private struct State {
        var outcome: Outcome?
        var waiters: [ObjectIdentifier: OneShot<Outcome?>] = [:]
    }

    private let state = Mutex(State())

    /// The work is done; every waiter hears it.
    func finish(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            state.outcome = outcome
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.decide(outcome) }
    }

    /// Waits for the outcome; nil if the deadline came first.
    func wait(until deadline: ContinuousClock.Instant) async -> Outcome? {
        let waiter = OneShot<Outcome?>()
        let known = state.withLock { state in
            if state.outcome == nil { state.waiters[ObjectIdentifier(waiter)] = waiter }
            return state.outcome
        }
        if let known { return known }
        // Who is cancelled waits all the same: what is under way for it goes on.
        let outcome = await waiter.value(until: deadline, heedsCancellation: false) { _ in nil }
        state.withLock { _ = $0.waiters.removeValue(forKey: ObjectIdentifier(waiter)) }
        return outcome
    }
}
