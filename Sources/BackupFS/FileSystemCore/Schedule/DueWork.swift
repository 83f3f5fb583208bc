// What does not have to be done at once: uploads that failed, removals, journal segments, and main's upkeep. Each has a
// task of its own that looks for what is due (DueUploads.swift, DueRemovals.swift, DueScrub.swift), and sleeps until something else is.
// With the store down it tries a single request now and then, and goes on at full speed when one succeeds.

import Catalogue
import ObjectStorage

extension BackupFileSystem {
    /// Rows that one transaction of the background changes: a few milliseconds' worth.
    static let rowsAtOnce = 200

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
        makeFailuresDue(now: currentTime())
    }

    /// Some at a time: closes wait for the same writer.
    private func makeFailuresDue(now: Nanoseconds) {
        recordWork("Background") { [self] writer throws(CatalogueError) in
            if try writer.makeFailuresDue(now: now, limit: Self.rowsAtOnce) { makeFailuresDue(now: now) }
        }
    }

    /// Whether backup storage answered when it was last asked, be it with a request that is not given up yet.
    package var isBackupReachable: Bool { background.storeState.isReachable && store.outage == nil }

    /// Something may be due.
    func wakeBackground() {
        background.wake()
        removal.wake()
    }

    /// Starts the background's tasks: uploads, removals, the comparison, main's upkeep and the journal; none waits for another.
    func startBackground() {
        clampDueTimes()
        background.run { [self] in await runUploads() }
        removal.run { [self] in await runRemovals() }
        scrub.run { [self] in await runScrub() }
        upkeep.run { [self] in
            while !upkeep.isStopped {
                let isShipped = await shipJournal()
                await upkeep.sleep(atMost: .seconds(isShipped ? 1 : 5))
            }
        }
        mainUpkeep.run { [self] in
            var nextCheckpoint = ContinuousClock.now
            var checkpointed: Int64?
            var clock = ClockWatch()
            while !mainUpkeep.isStopped {
                if clock.hasGoneBack() { clockWentBack() }
                main.reserve.establish()
                if ContinuousClock.now >= nextCheckpoint {
                    nextCheckpoint = .now + .seconds(60)
                    checkpointed = checkpointIfChanged(since: checkpointed)
                }
                finishIntents()
                await mainUpkeep.sleep(atMost: .seconds(1))
            }
        }
    }

    /// What is due is due by the clock as it is now, and main's checkpoint was not in its future.
    private func clockWentBack() {
        logger.warning("the machine's clock has gone back")
        clampDueTimes()
        let now = currentTime() - Self.slack
        record("Clock") { writer throws(CatalogueError) in
            let known = try writer.reader.setting(Setting.checkpoint).flatMap { Nanoseconds($0) } ?? 0
            if known > now { try writer.set(Setting.checkpoint, to: "\(now)") }
        }
    }

    /// Nothing waits longer for its next attempt than the longest delay there is.
    func clampDueTimes() {
        recordWork("Clock") { [self] writer throws(CatalogueError) in
            if try writer.clampDue(to: currentTime() + BackgroundWorker.longestDelay, limit: Self.rowsAtOnce) {
                clampDueTimes()
            }
        }
    }

    /// Ends the background's tasks; false if one of them is not done before `deadline`.
    func stopBackground(until deadline: ContinuousClock.Instant) async -> Bool {
        var isQuiet = true
        for worker in [background, removal, scrub, upkeep, mainUpkeep] where await !worker.stop(until: deadline) {
            isQuiet = false
        }
        return isQuiet
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
    func sweepUploads() async -> Bool {
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

    /// Does what one resource needs.
    func settle(_ row: Resource) async {
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
    func mainSize(_ file: FileState?, _ row: Resource) -> Int64 {
        if let descriptor = file?.descriptor, let status = try? descriptor.status() { return Int64(status.st_size) }
        let found = try? atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
            try main.status(directory, name)
        }
        return (found ?? nil).flatMap { $0 }.map { Int64($0.st_size) } ?? row.size
    }
}
