// What does not have to be done at once: uploads that failed, removals, journal segments. One task looks for what is due,
// does some of it at a time, and sleeps until something else is. With the store down it tries a single request now and
// then, and goes on at full speed when one succeeds.

import Catalogue
import ObjectStorage
import Synchronization

/// Wakes, stops and paces the background's task.
final class BackgroundWorker: Sendable {
    private struct State {
        var isAwake = false
        var isStopped = false
        var sleeper: CheckedContinuation<Void, Never>?
        var work: SharedWork?
        var lastError: String?
        var isReachable = true
        var outage: ObjectStoreError?
    }

    /// With the store down: how long to leave it alone between two requests.
    private static let outagePause = 0.5...2.0

    let transfers: Int
    private let state = Mutex(State())

    init(transfers: Int) { self.transfers = max(1, transfers) }

    /// Full-jitter exponential backoff, 0.5 s to 15 s, in nanoseconds.
    static func backoff(attempts: Int) -> Nanoseconds {
        let ceiling = min(15.0, 0.5 * Double(1 << min(attempts, 6)))
        return Nanoseconds(Double.random(in: ceiling / 2...ceiling) * 1e9)
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

    /// Leaves a store that is down alone for a while, whatever becomes due meanwhile.
    func rest() async {
        let end = ContinuousClock.now + .seconds(Double.random(in: Self.outagePause))
        while !isStopped, !storeState.isReachable, .now < end { await sleep(atMost: end - .now) }
    }

    /// Something may be due.
    func wake() {
        let sleeper = state.withLock { state in
            state.isAwake = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
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
        let timer = Task {
            try? await Task.sleep(for: duration)
            if !Task.isCancelled { wake() }
        }
        await withCheckedContinuation { continuation in
            let isAwake = state.withLock { state in
                if state.isAwake || state.isStopped { return true }
                state.sleeper = continuation
                return false
            }
            if isAwake { continuation.resume() }
        }
        state.withLock { $0.isAwake = false }
        timer.cancel()
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

extension BackupFileSystem {
    /// Objects that are removed with one request.
    private static let removalsAtOnce = 1000

    /// Takes in how a request to the store ended.
    ///
    /// When the store is back, everything that failed is due at once.
    func noteStore(_ error: ObjectStoreError?) {
        guard background.noteStore(error) else { return }
        recordWork("Background") { writer throws(CatalogueError) in try writer.makeFailuresDue(now: currentTime()) }
    }

    /// Starts the background's tasks: one for uploads and removals, one for what must not wait for those.
    func startBackground() {
        background.run { [self] in
            var failedRounds = 0
            var nextSweep = ContinuousClock.now
            while !background.isStopped {
                let failures = counters.now.catalogueFailures
                let didWork = await doDueWork()
                let hasFailed = counters.now.catalogueFailures > failures
                if ContinuousClock.now >= nextSweep {
                    nextSweep = .now + (await sweepUploads() ? .seconds(3600) : .seconds(60))
                }
                if hasFailed {
                    // What was done could not be recorded, and would be done again at once: a full disk, most likely.
                    failedRounds += 1
                    let pause = Duration.nanoseconds(BackgroundWorker.backoff(attempts: failedRounds + 1))
                    let end = ContinuousClock.now + pause
                    while !background.isStopped, .now < end { await background.sleep(atMost: end - .now) }
                } else {
                    failedRounds = 0
                    if !didWork { await background.sleep(atMost: pauseUntilDue()) }
                }
                await background.rest()
            }
        }
        upkeep.run { [self] in
            var nextCheckpoint = ContinuousClock.now
            var checkpointed: Int64?
            while !upkeep.isStopped {
                main.reserve.establish()
                if ContinuousClock.now >= nextCheckpoint {
                    nextCheckpoint = .now + .seconds(60)
                    checkpointed = checkpointIfChanged(since: checkpointed)
                }
                finishIntents()
                let isShipped = await shipJournal()
                await upkeep.sleep(atMost: .seconds(isShipped ? 1 : 5))
            }
        }
    }

    /// Returns the number of the newest change that the checkpoint covers.
    private func checkpointIfChanged(since last: Int64?) -> Int64? {
        do throws(FileSystemError) {
            let newest = try read { reader throws(CatalogueError) in try reader.newestJournalEntry() }
            if newest != last { try checkpoint() }
            return newest
        } catch {
            logger.error("main could not be synced", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Aborts what interrupted uploads have left in the store; false if it cannot be asked.
    private func sweepUploads() async -> Bool {
        guard background.storeState.isReachable else { return false }
        let deadline = ContinuousClock.now + .seconds(20)
        do throws(FileSystemError) {
            // Uploads below a prefix that is not ours are somebody's who needs them.
            try await verifyOwnership(deadline: deadline)
            do throws(ObjectStoreError) {
                try await store.abortUnfinished(deadline: deadline)
            } catch {
                throw .backup(error)
            }
            return true
        } catch {
            logger.debug("interrupted uploads were not looked for", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func pauseUntilDue() -> Duration {
        let next = try? read { reader throws(CatalogueError) in try reader.nextDue() }
        guard let due = next ?? nil else { return .seconds(60) }
        return min(.seconds(60), max(.nanoseconds(max(0, due - currentTime())), .milliseconds(20)))
    }

    /// Does some of what is due; false if nothing was.
    private func doDueWork() async -> Bool {
        // With the store down one request at a time asks whether it is back.
        let isReachable = background.storeState.isReachable
        let width = isReachable ? background.transfers : 1
        let now = currentTime()
        let due = try? read { reader throws(CatalogueError) in
            (
                resources: try reader.dueResources(now: now, limit: width),
                removals: try reader.dueRemovals(now: now, limit: isReachable ? Self.removalsAtOnce : 1)
            )
        }
        guard let due, !(due.resources.isEmpty && due.removals.isEmpty) else { return false }
        await withTaskGroup { group in
            for item in due.resources { group.addTask { await self.settle(item.resource) } }
            group.addTask { await self.removeVersions(due.removals) }
        }
        return true
    }

    /// Does what one resource needs.
    private func settle(_ row: Resource) async {
        if row.status == .deleted { return await finishDelete(row) }
        guard row.kind == .file, row.needsUpload else {
            return record("Background") { writer throws(CatalogueError) in try writer.settle(row.id) }
        }
        let file = files.acquire(row.id)
        defer { files.release(file) }
        do throws(FileSystemError) {
            file.load(try liveRow(row.id))
            try await backUp(file, deadline: deadline(size: mainSize(file, row)))
            record("Background") { writer throws(CatalogueError) in
                try writer.postponeIfDue(row.id, now: currentTime(), until: currentTime() + 1_000_000_000)
            }
        } catch {
            // It is recorded, with the next attempt's time, where it happens.
        }
    }
    /// Bytes of the main copy: a file that was never in backup has none in its row.
    func mainSize(_ file: FileState, _ row: Resource) -> Int64 {
        if let descriptor = file.descriptor, let status = try? descriptor.status() { return Int64(status.st_size) }
        let found = try? atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
            try main.status(directory, name)
        }
        return (found ?? nil).flatMap { $0 }.map { Int64($0.st_size) } ?? row.size
    }
}
