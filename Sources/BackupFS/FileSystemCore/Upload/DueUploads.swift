// Uploads that are due, as many at a time as there are slots: a slot that becomes free is filled at once, so that one slow
// upload stops nothing but itself.

import Catalogue
import Linux
import ObjectStorage
import Synchronization

/// Which resources the background works on.
final class BackgroundSlots: Sendable {
    /// A resource with work that is due.
    struct Item: Sendable {
        var id: ResourceID
        /// It is large, or has failed before: it may take long.
        var isSlow: Bool
    }

    private let taken = Mutex<[ResourceID: Bool]>([:])

    /// Takes slots, `width` in all and at most half of them for slow work; returns the items that got one.
    func take(_ items: [Item], width: Int) -> [ResourceID] {
        taken.withLock { taken in
            var slow = taken.values.count { $0 }
            var chosen: [ResourceID] = []
            for item in items where taken[item.id] == nil && taken.count < width {
                if item.isSlow, slow >= max(1, width / 2) { continue }
                slow += item.isSlow ? 1 : 0
                taken[item.id] = item.isSlow
                chosen.append(item.id)
            }
            return chosen
        }
    }

    func free(_ id: ResourceID) { _ = taken.withLock { $0.removeValue(forKey: id) } }

    /// Whether a slot is taken, and whether all are.
    func state(width: Int) -> (isBusy: Bool, isFull: Bool) { taken.withLock { (!$0.isEmpty, $0.count >= width) } }
}

extension BackupFileSystem {
    /// From how many bytes on an upload may take long.
    private static let slowSize: Int64 = 64 << 20
    /// Due resources that are looked at for free slots: some that are fresh, and some that have failed before.
    private static let candidates = 32

    /// Does what is due until the background is stopped.
    func runUploads() async {
        var failedRounds = 0
        var nextSweep = ContinuousClock.now
        await withDiscardingTaskGroup { group in
            while !background.isStopped {
                let failures = counters.now.catalogueFailures
                for row in dueResources() {
                    group.addTask(executorPreference: BlockingExecutor.shared) { [self] in
                        await settle(row)
                        slots.free(row.id)
                        background.wake()
                    }
                }
                if ContinuousClock.now >= nextSweep {
                    nextSweep = .now + (await sweepUploads() ? .seconds(3600) : .seconds(60))
                }
                if background.outage != nil, !slots.state(width: 1).isBusy {
                    // Closes fail while an outage is known, and would go on so if nothing asked for its end.
                    try? await confirmOwnership(deadline: .now + .seconds(10))
                }
                await background.sleep(atMost: pauseUntilDue())
                // What was done could not be recorded, and would be done again at once: a full disk, most likely.
                failedRounds = counters.now.catalogueFailures > failures ? failedRounds + 1 : 0
                await rest(background, rounds: failedRounds)
                await restFromOutage(background)
            }
        }
    }

    /// Sleeps longer and longer with each round that failed.
    func rest(_ worker: BackgroundWorker, rounds: Int) async {
        guard rounds > 0 else { return }
        let end = ContinuousClock.now + .nanoseconds(BackgroundWorker.backoff(attempts: rounds + 1))
        while !worker.isStopped, .now < end { await worker.sleep(atMost: end - .now) }
    }

    /// Leaves a store that is down alone for a while, whatever becomes due meanwhile.
    func restFromOutage(_ worker: BackgroundWorker) async {
        let end = ContinuousClock.now + .seconds(Double.random(in: BackgroundWorker.outagePause))
        while !worker.isStopped, !background.storeState.isReachable, .now < end {
            await worker.sleep(atMost: end - .now)
        }
    }

    /// Rows with work that is due, each with a slot taken.
    private func dueResources() -> [Resource] {
        // With the store down one request at a time asks whether it is back.
        let width = background.storeState.isReachable ? background.transfers : 1
        guard !slots.state(width: width).isFull else { return [] }
        let now = currentTime()
        let due = try? read { reader throws(CatalogueError) in
            try reader.dueResources(now: now, limit: Self.candidates + background.transfers)
        }
        guard let due, !due.isEmpty else { return [] }
        let items = due.map { item in
            BackgroundSlots.Item(
                id: item.resource.id, isSlow: item.attempts > 1 || knownSize(item.resource) >= Self.slowSize)
        }
        let chosen = Set(slots.take(items, width: width))
        return due.map(\.resource).filter { chosen.contains($0.id) }
    }

    private func knownSize(_ row: Resource) -> Int64 {
        guard row.kind == .file, row.status != .deleted else { return 0 }
        return mainSize(files.peek(row.id), row)
    }

    private func pauseUntilDue() -> Duration {
        let width = background.storeState.isReachable ? background.transfers : 1
        let (isBusy, isFull) = slots.state(width: width)
        let isDown = background.outage != nil
        // Whoever frees a slot wakes us.
        let longest: Duration = isDown ? .seconds(2) : .seconds(60)
        guard !isFull else { return longest }
        let now = currentTime()
        // What is due and has no slot waits for one, too.
        let next = try? read { reader throws(CatalogueError) in try reader.nextDueResource(after: isBusy ? now : .min) }
        guard let due = next ?? nil else { return longest }
        return min(longest, max(.nanoseconds(max(0, due - now)), .milliseconds(20)))
    }
}
