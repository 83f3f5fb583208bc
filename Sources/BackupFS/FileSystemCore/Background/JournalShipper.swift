// Ships the journal: the outbox's changes become one numbered segment, at most one a second.

import Catalogue
import Foundation
import ObjectStorage

extension BackupFileSystem {
    /// Entries that one segment covers at most.
    private static let segmentLimit = 50_000

    /// Ships what is in the outbox; false if backup storage did not take it.
    func shipJournal() async -> Bool {
        do throws(FileSystemError) {
            try await syncJournal()
            return true
        } catch {
            return false
        }
    }

    private func shipSegment(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        // What a segment tells is never undone: the log is on the disk first.
        try await changeLater(.powerLoss) { _ throws(CatalogueError) in }
        let prepared = try read { reader throws(CatalogueError) in
            (batch: try reader.journalBatch(limit: Self.segmentLimit), number: try reader.setting("journal"))
        }
        guard let batch = prepared.batch else { return }
        try await verifyOwnership(deadline: deadline)
        let number = (prepared.number.flatMap { Int($0) } ?? 0) + 1
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 20 - digits.count)) + digits
        let key = ".backupfs/journal/\(padded)~\(VersionID(now: currentTime())).jsonl.gz"
        try reach("journal.begun")
        do throws(ObjectStoreError) {
            try await store.put(
                key, .bytes(JournalSegment.encode(batch.records)), ObjectAttributes(contentType: "application/gzip"),
                deadline: deadline)
            noteStore(nil)
        } catch {
            noteStore(error)
            throw .backup(error)
        }
        try reach("journal.sent")
        try await changeLater(.powerLoss) { writer throws(CatalogueError) in
            try writer.shipped(batch)
            try writer.set("journal", to: "\(number)")
        }
    }

    /// Returns when every change of names and attributes so far is in backup: fsync of a directory, `sync`.
    package func syncJournal() async throws(FileSystemError) {
        try await syncJournal(deadline: deadline(size: 0))
    }

    func syncJournal(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let last = try read { reader throws(CatalogueError) in try reader.lastJournalEntry() }
        while try read({ reader throws(CatalogueError) in try reader.journalEntries(through: last) }) > 0 {
            let (work, mustStart) = journal.withLock { current -> (SharedWork, Bool) in
                if let current { return (current, false) }
                let work = SharedWork()
                current = work
                return (work, true)
            }
            if mustStart { startShipping(work, deadline: deadline) }
            guard let outcome = await work.wait(until: deadline) else { throw .backupTimedOut }
            if mustStart { try outcome.get() }
        }
    }

    /// One segment at a time, so that their numbers rise with what they tell.
    private func startShipping(_ work: SharedWork, deadline: ContinuousClock.Instant) {
        Task(executorPreference: BlockingExecutor.shared) { [self] in
            let outcome: SharedWork.Outcome
            do throws(FileSystemError) {
                outcome = .success(try await shipSegment(deadline: deadline))
            } catch {
                counters.add(\.journalFailures)
                logger.warning("the journal could not be shipped", metadata: ["error": "\(error)"])
                outcome = .failure(error)
            }
            journal.withLock { $0 = nil }
            work.finish(outcome)
        }
    }
}
