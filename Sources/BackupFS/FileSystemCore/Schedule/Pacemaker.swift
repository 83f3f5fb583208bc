// When a background task wakes, sleeps and ends. What it does is not known here.

import Linux
import Synchronization

/// The pace of one background task.
final class Pacemaker: Sendable {
    private struct State {
        var isAwake = false
        var isStopped = false
        var sleeper: OneShot<Void>?
        var work: SharedWork?
    }

    /// Guards four values; held for no call out of this file.
    private let state = Mutex(State())

    /// Whether the task is to end.
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Something may be due.
    func wake() {
        let sleeper = state.withLock { state in
            state.isAwake = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.decide(())
    }

    /// Starts the task, which ends soon after `isStopped` says so.
    func run(_ body: @escaping @Sendable () async -> Void) {
        let work = SharedWork()
        state.withLock { $0.work = work }
        Task(executorPreference: BlockingExecutor.shared) {
            await body()
            work.finish(.success(()))
        }
    }

    /// Ends the task after what it is doing; false if that took longer than `deadline`.
    func stop(until deadline: ContinuousClock.Instant) async -> Bool {
        let work = state.withLock { state in
            state.isStopped = true
            return state.work
        }
        wake()
        return await work?.wait(until: deadline) != nil
    }

    /// Sleeps until `wake` or for `duration`.
    func sleep(atMost duration: Duration) async {
        let sleeper = OneShot<Void>()
        let mustSleep = state.withLock { state in
            if state.isAwake || state.isStopped { return false }
            state.sleeper = sleeper
            return true
        }
        if mustSleep { await sleeper.value(until: .now + duration, heedsCancellation: false) { _ in } }
        state.withLock { state in
            state.isAwake = false
            state.sleeper = nil
        }
    }

    /// Sleeps longer and longer with each round that failed.
    func rest(rounds: Int) async {
        guard rounds > 0 else { return }
        await sleep(until: .now + .nanoseconds(RetryDelay.next(attempts: rounds + 1))) { true }
    }

    /// Sleeps until `end`, whatever wakes it meanwhile, as long as `isNeeded`.
    func sleep(until end: ContinuousClock.Instant, while isNeeded: () -> Bool) async {
        while !isStopped, isNeeded(), .now < end { await sleep(atMost: end - .now) }
    }
}
