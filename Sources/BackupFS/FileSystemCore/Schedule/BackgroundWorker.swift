// The pace of what does not have to be done at once: when the background's task wakes, and how long it leaves a store
// alone that is down.

import Catalogue
import Linux
import ObjectStorage
import Synchronization

/// Wakes, stops and paces the background's task.
final class BackgroundWorker: Sendable {
    private struct State {
        var isAwake = false
        var isStopped = false
        var sleeper: OneShot<Void>?
        var work: SharedWork?
        var lastError: String?
        var isReachable = true
        var outage: ObjectStoreError?
    }

    /// With the store down: how long to leave it alone between two requests.
    static let outagePause = 0.5...2.0
    /// The longest that anything waits for its next attempt: an hour, in nanoseconds.
    static let longestDelay: Nanoseconds = 3600 * 1_000_000_000

    let transfers: Int
    private let state = Mutex(State())

    init(transfers: Int) { self.transfers = max(1, transfers) }

    /// Full-jitter exponential backoff, 0.5 s to 15 s, in nanoseconds.
    static func backoff(attempts: Int) -> Nanoseconds {
        let ceiling = min(15.0, 0.5 * Double(1 << min(attempts, 6)))
        return Nanoseconds(Double.random(in: ceiling / 2...ceiling) * 1e9)
    }

    /// What the store refused, it will refuse in a second, too: a minute, and up to an hour, in nanoseconds.
    static func refusalBackoff(attempts: Int) -> Nanoseconds {
        let ceiling = min(longestDelay, 120_000_000_000 << Nanoseconds(min(attempts, 6)))
        return Nanoseconds.random(in: ceiling / 2...ceiling)
    }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// What is known of the store: the last request's error, nil after a success.
    var storeState: (isReachable: Bool, lastError: String?) { state.withLock { ($0.isReachable, $0.lastError) } }

    /// The error that proved an outage which has not ended: it outlasted a request's own patience.
    var outage: ObjectStoreError? { state.withLock { $0.outage } }

    /// Takes in how a request ended; true if the store is back with it.
    func noteStore(_ error: ObjectStoreError?) -> Bool {
        state.withLock { state in
            let wasReachable = state.isReachable
            if let error { state.lastError = "\(error)" }
            state.isReachable = error.map { !$0.meansUnreachable } ?? true
            if case .unreachable = error { state.outage = error } else if state.isReachable { state.outage = nil }
            return state.isReachable && !wasReachable
        }
    }

    /// How long something that failed waits for its next attempt.
    ///
    /// With the store down not long: then it is the store that is left alone, and what is due goes on when it returns.
    func delay(attempts: Int) -> Nanoseconds {
        guard !storeState.isReachable else { return Self.backoff(attempts: attempts) }
        return min(Self.backoff(attempts: attempts), Nanoseconds(Self.outagePause.upperBound * 1e9))
    }

    /// Something may be due.
    func wake() {
        let sleeper = state.withLock { state in
            state.isAwake = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.decide(())
    }

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
}

extension ObjectStoreError {
    /// Whether the error says that the store cannot be used at all now, rather than something about one object.
    var meansUnreachable: Bool {
        switch self {
        case .unreachable, .deadlineExceeded, .noSuchBucket, .denied: true
        case .notFound, .full, .corrupted, .contentChanged, .rejected, .localFile: false
        }
    }
}
