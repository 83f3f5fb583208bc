// Ships the journal: the outbox's changes become one numbered segment, at most one a second.

import Catalogue
import Foundation
import Linux
import Logging
import ObjectStorage
import Synchronization

/// Ships the journal, one segment at a time.
final class JournalShipper: Sendable {
    private let settings: FileSystemSettings
    private let catalogue: CatalogueClient
    private let store: any ObjectStore
    private let health: StoreHealth
    private let claim: PrefixClaim
    private let counters: Counters
    private let logger: Logger
    /// The segment that is on its way.
    private let segment = Mutex<SharedWork?>(nil)

    init(
        settings: FileSystemSettings, catalogue: CatalogueClient, store: any ObjectStore, health: StoreHealth,
        claim: PrefixClaim, counters: Counters, logger: Logger
    ) {
        self.settings = settings
        self.catalogue = catalogue
        self.store = store
        self.health = health
        self.claim = claim
        self.counters = counters
        self.logger = logger
    }

    /// Entries that one segment covers at most.
    private static let segmentLimit = 5_000

    /// Ships what is in the outbox; false if backup storage did not take it.
    func ship() async -> Bool {
        do throws(FileSystemError) {
            try await sync()
            return true
        } catch {
            return false
        }
    }

    private func shipSegment(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        // What a segment tells is never undone: the log is on the disk first. With it the number that is about to be sent:
        // a catalogue that does not know the newest one is an old copy.
        let number = try await catalogue.changeLater(.powerLoss, .beginSegment)
        guard
            let batch = try catalogue.journalBatch(limit: Self.segmentLimit)
        else { return }
        try await claim.verify(deadline: deadline)
        let key = JournalPosition.segmentPrefix(number) + "~\(VersionID(now: currentTime())).jsonl.gz"
        try reach("journal.begun")
        do throws(ObjectStoreError) {
            try await store.put(
                key, .bytes(JournalSegment.encode(batch.records)), ObjectAttributes(contentType: "application/gzip"),
                deadline: deadline)
            health.note(nil)
        } catch {
            health.note(error)
            throw .backup(error)
        }
        try reach("journal.sent")
        try await catalogue.changeLater(.powerLoss, .endSegment(number, batch))
        releaseRemovals()
    }

    /// What the journal has told is not wanted may go (I15).
    ///
    /// Some at a time: closes wait for the same writer.
    func releaseRemovals() {
        catalogue.recordWork("Journal", .releaseRemovals(limit: StoreHealth.rowsAtOnce)) { [self] isMore in
            if isMore { releaseRemovals() }
        }
    }

    /// Returns when the journal has told of all removals that were recorded so far, and they may be done.
    func tellRemovals() async throws(FileSystemError) {
        // What is recorded is committed before this is.
        while try await catalogue.changeLater(.processCrash, .releaseRemovals(limit: StoreHealth.rowsAtOnce)) {}
        try await sync()
        while try await catalogue.changeLater(.processCrash, .releaseRemovals(limit: StoreHealth.rowsAtOnce)) {}
    }

    /// Returns when every change of names and attributes so far is in backup: fsync of a directory, `sync`.
    func sync() async throws(FileSystemError) {
        try await sync(deadline: settings.deadline(size: 0))
    }

    func sync(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let last = try catalogue.lastJournalEntry()
        while try catalogue.journalEntries(through: last) > 0 {
            let (work, mustStart) = segment.withLock { current -> (SharedWork, Bool) in
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
            segment.withLock { $0 = nil }
            work.finish(outcome)
        }
    }
}
