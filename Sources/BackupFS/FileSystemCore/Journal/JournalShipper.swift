// Ships the journal: the outbox's changes become one numbered segment, at most one a second.

import Catalogue
import Foundation
import Linux
import ObjectStorage

extension BackupFileSystem {
    /// Entries that one segment covers at most.
    private static let segmentLimit = 5_000
    private static let journalPrefix = ".backupfs/journal/"

    /// What the keys of all attempts at a segment begin with.
    private static func segmentPrefix(_ number: Int) -> String {
        let digits = String(number)
        return journalPrefix + String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    /// Whether backup storage has segments that this catalogue has never begun to send.
    func isBehindJournal(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Bool {
        let begun: Int
        do throws(CatalogueError) {
            begun = try catalogue.read { reader throws(CatalogueError) in
                let numbers = try [Setting.journal, Setting.journalBegun].map { key throws(CatalogueError) in
                    try reader.setting(key).flatMap { Int($0) } ?? 0
                }
                return numbers.max() ?? 0
            }
        } catch {
            throw .unreachable(reason: "the catalogue: \(error)")
        }
        // Behind every attempt at the last segment: `~` comes after all that an id has.
        let newer = try await store.list(
            prefix: Self.journalPrefix, after: Self.segmentPrefix(begun) + "~~", deadline: deadline)
        return !newer.isEmpty
    }

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
        // What a segment tells is never undone: the log is on the disk first. With it the number that is about to be sent:
        // a catalogue that does not know the newest one is an old copy.
        let number = try await changeLater(.powerLoss) { writer throws(CatalogueError) in
            let number = (try writer.reader.setting(Setting.journal).flatMap { Int($0) } ?? 0) + 1
            try writer.set(Setting.journalBegun, to: "\(number)")
            return number
        }
        guard
            let batch = try read({ reader throws(CatalogueError) in try reader.journalBatch(limit: Self.segmentLimit) })
        else { return }
        try await verifyOwnership(deadline: deadline)
        let key = Self.segmentPrefix(number) + "~\(VersionID(now: currentTime())).jsonl.gz"
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
            try writer.set(Setting.journal, to: "\(number)")
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
