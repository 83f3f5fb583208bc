// One piece of slow work that several callers wait for: two closes of one file share an upload, two readers of a missing
// file share a download. Each caller waits with its own deadline; the work goes on when a caller gives up.

import Synchronization

/// The outcome of a task, waited for by any number of callers.
final class SharedWork: Sendable {
    typealias Outcome = Result<Void, FileSystemError>

    private struct State {
        var outcome: Outcome?
        var waiters: [UInt64: CheckedContinuation<Outcome?, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The work is done; every waiter hears it.
    func finish(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            state.outcome = outcome
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: outcome) }
    }

    /// Waits for the outcome; nil if the deadline came first.
    func wait(until deadline: ContinuousClock.Instant) async -> Outcome? {
        let ticket = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            if !Task.isCancelled { giveUp(ticket) }
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Outcome?? in
                if let outcome = state.outcome { return .some(outcome) }
                if ContinuousClock.now >= deadline { return .some(nil) }
                state.waiters[ticket] = continuation
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    private func giveUp(_ ticket: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume(returning: nil)
    }
}
