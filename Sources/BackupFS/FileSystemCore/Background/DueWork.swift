// What does not have to be done at once: uploads that failed, removals, journal segments. One task looks for what is due,
// does some of it at a time, and sleeps until something else is. With the store down it tries a single request now and
// then, and goes on at full speed when one succeeds.

import Catalogue
import ObjectStorage

extension BackupFileSystem {
    /// Objects that are removed with one request.
    private static let removalsAtOnce = 1000

    /// Takes in how a request to the store ended.
    ///
    /// When the store is back, everything that failed is due at once.
    func noteStore(_ error: ObjectStoreError?) {
        let wasKnown = background.outage != nil
        guard background.noteStore(error) else {
            // Somebody has to ask for its end.
            if !wasKnown, background.outage != nil { background.wake() }
            return
        }
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
                    if !didWork {
                        let isDown = background.outage != nil
                        // Closes fail while an outage is known, and would go on so if nothing asked for its end.
                        if isDown { try? await confirmOwnership(deadline: .now + .seconds(10)) }
                        await background.sleep(atMost: isDown ? min(.seconds(2), pauseUntilDue()) : pauseUntilDue())
                    }
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

    /// Aborts the interrupted uploads that are on record; false if it cannot be asked.
    private func sweepUploads() async -> Bool {
        guard background.storeState.isReachable else { return false }
        let deadline = ContinuousClock.now + .seconds(20)
        do throws(FileSystemError) {
            // Before a store is known to be ours, what it says of an upload is not believed.
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
