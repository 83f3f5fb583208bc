// Uploads that are due, as many at a time as there are slots: a slot that becomes free is filled at once, so that one slow
// upload stops nothing but itself. What else a resource needs in the background is done here, too.

import Catalogue
import Linux
import Logging
import ObjectStorage

/// The background's work on resources.
final class DueUploads: StorageStep {
    /// From how many bytes on an upload may take long.
    private static let slowSize: Int64 = 64 << 20
    /// Due resources that are looked at for free slots: some that are fresh, and some that have failed before.
    private static let candidates = 32

    let storages: Storages
    private let uploader: Uploader
    private let remover: Remover
    private let claim: PrefixClaim
    private let slots: BackgroundSlots
    private let counters: Counters
    private let logger: Logger

    init(
        uploader: Uploader, remover: Remover, claim: PrefixClaim, slots: BackgroundSlots, counters: Counters,
        logger: Logger
    ) {
        storages = uploader.storages
        self.uploader = uploader
        self.remover = remover
        self.claim = claim
        self.slots = slots
        self.counters = counters
        self.logger = logger
    }

    /// Does what is due until the background is stopped.
    func run(_ task: Pacemaker) async {
        var failedRounds = 0
        var nextSweep = ContinuousClock.now
        await withDiscardingTaskGroup { group in
            while !task.isStopped {
                let failures = counters.now.catalogueFailures
                let (deleted, due) = dueResources()
                if !deleted.isEmpty { await remover.finishDeletes(deleted) }
                for row in due {
                    group.addTask(executorPreference: BlockingExecutor.shared) { [self] in
                        await settle(row)
                        slots.free(row.id)
                        task.wake()
                    }
                }
                if ContinuousClock.now >= nextSweep {
                    nextSweep = .now + (await sweep() ? .seconds(3600) : .seconds(60))
                }
                if health.outage != nil, !slots.state(width: 1).isBusy {
                    // Closes fail while an outage is known, and would go on so if nothing asked for its end.
                    try? await claim.confirm(deadline: .now + .seconds(10))
                }
                await task.sleep(atMost: pauseUntilDue())
                // What was done could not be recorded, and would be done again at once: a full disk, most likely.
                failedRounds = counters.now.catalogueFailures > failures ? failedRounds + 1 : 0
                await task.rest(rounds: failedRounds)
                await health.rest(task)
            }
        }
    }

    /// With the store down one request at a time asks whether it is back.
    private var width: Int { health.isReachable ? settings.backgroundTransfers : 1 }

    /// Rows with work that is due: what was deleted, and others, each with a slot taken.
    private func dueResources() -> (deleted: [Resource], others: [Resource]) {
        let width = width
        guard !slots.state(width: width).isFull else { return ([], []) }
        let now = currentTime()
        let found = try? catalogue.dueResources(now: now, limit: Self.candidates + settings.backgroundTransfers)
        guard let found, !found.isEmpty else { return ([], []) }
        let due = found.filter { $0.resource.status != .deleted }
        let items = due.map { item in
            BackgroundSlots.Item(
                id: item.resource.id, isSlow: item.attempts > 1 || knownSize(item.resource) >= Self.slowSize)
        }
        let chosen = Set(slots.take(items, width: width))
        let deleted = found.map(\.resource).filter { $0.status == .deleted }
        return (deleted, due.map(\.resource).filter { chosen.contains($0.id) })
    }

    private func knownSize(_ row: Resource) -> Int64 {
        guard row.kind == .file else { return 0 }
        return tree.size(files.peek(row.id), row)
    }

    private func pauseUntilDue() -> Duration {
        let (isBusy, isFull) = slots.state(width: width)
        // Whoever frees a slot wakes us.
        let longest: Duration = health.outage != nil ? .seconds(2) : .seconds(60)
        guard !isFull else { return longest }
        let now = currentTime()
        // What is due and has no slot waits for one, too.
        let next = try? catalogue.nextDueResource(after: isBusy ? now : .min)
        guard let due = next ?? nil else { return longest }
        return min(longest, max(.nanoseconds(max(0, due - now)), .milliseconds(20)))
    }

    /// Aborts the interrupted uploads that are on record; false if it cannot be asked.
    private func sweep() async -> Bool {
        guard health.isReachable else { return false }
        let deadline = ContinuousClock.now + .seconds(20)
        do throws(FileSystemError) {
            // Before a store is known to be ours, what it says of an upload is not believed.
            try await claim.verify(deadline: deadline)
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

    /// Does what one resource needs.
    private func settle(_ row: Resource) async {
        guard row.kind == .file, row.needsUpload else {
            return catalogue.record("Background", .settle(row.id))
        }
        let file = files.acquire(row.id)
        defer { files.release(file) }
        do throws(FileSystemError) {
            file.load(try catalogue.row(row.id))
            try await uploader.backUp(file, deadline: settings.deadline(size: tree.size(file, row)))
            catalogue.record(
                "Background", .postponeIfDue(row.id, now: currentTime(), until: currentTime() + 1_000_000_000))
        } catch {
            // It is recorded, with the next attempt's time, where it happens.
        }
    }
}
