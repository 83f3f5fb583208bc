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

extension BackupFileSystem {
    /// Does `work` on a file once for all who ask for it at the same time, and not at all if `isDone`.
    ///
    /// The file stays in use until the work ends. Throws `.backupTimedOut` to a caller whose deadline comes first.
    func once(
        _ file: FileState, _ kind: FileState.Work, unless isDone: (Content<Descriptor>) -> Bool,
        deadline: ContinuousClock.Instant,
        _ work: @escaping @Sendable () async throws(FileSystemError) -> Void
    ) async throws(FileSystemError) {
        guard let (shared, mustStart) = file.join(kind, unless: isDone) else { return }
        if mustStart {
            _ = files.acquire(file.id)
            Task(executorPreference: BlockingExecutor.shared) { [self] in
                let outcome: SharedWork.Outcome
                do throws(FileSystemError) { outcome = .success(try await work()) } catch { outcome = .failure(error) }
                file.ended(kind)
                files.release(file)
                shared.finish(outcome)
            }
        }
        guard let outcome = await shared.wait(until: deadline) else { throw .backupTimedOut }
        try outcome.get()
    }
}
