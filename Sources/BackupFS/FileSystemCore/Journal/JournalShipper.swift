// Ships the journal: everything that waits becomes one segment. A segment is a moment: it is read in one snapshot and has all
// changes until then, so what the segments tell together was true at once.

import Catalogue
import Foundation
import Linux
import Logging
import ObjectStorage
import Synchronization

/// Ships the journal, one segment at a time.
final class JournalShipper: Sendable {
    private struct Progress {
        /// The segment that is on its way, or what holds segments up.
        var current: SharedWork?
        /// Everything that was changed until then has been shipped.
        var shippedUntil = ContinuousClock.now
    }

    private let settings: FileSystemSettings
    private let catalogue: CatalogueClient
    let segments: SegmentStore
    let claim: PrefixClaim
    private let health: StoreHealth
    private let counters: Counters
    private let logger: Logger
    private let progress = Mutex(Progress())

    init(
        settings: FileSystemSettings, catalogue: CatalogueClient, segments: SegmentStore, health: StoreHealth,
        claim: PrefixClaim, counters: Counters, logger: Logger
    ) {
        self.settings = settings
        self.catalogue = catalogue
        self.segments = segments
        self.health = health
        self.claim = claim
        self.counters = counters
        self.logger = logger
    }

    /// Ships what waits, again and again, until the background is stopped.
    func run(_ task: Pacemaker) async {
        var pace = JournalPace()
        while !task.isStopped {
            let begun = ContinuousClock.now
            let isWaiting = (try? catalogue.lastJournalEntry()) != 0
            let isShipped = await ship()
            let rest = isWaiting ? pace.rest(after: begun.duration(to: .now)) : .seconds(1)
            await task.sleep(atMost: isShipped ? rest : .seconds(5))
        }
    }

    /// Ships what waits; false if backup storage did not take it.
    func ship() async -> Bool {
        do throws(FileSystemError) {
            let now = ContinuousClock.now
            try await sync()
            progress.withLock { $0.shippedUntil = max($0.shippedUntil, now) }
            return true
        } catch {
            return false
        }
    }

    /// How old the oldest change can be that backup does not know of; zero if none waits.
    func lag() throws(FileSystemError) -> Duration {
        guard try catalogue.lastJournalEntry() > 0 else { return .zero }
        return progress.withLock { $0.shippedUntil.duration(to: .now) }
    }

    private func shipSegment(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let epoch = try await claim.epoch(deadline: deadline)
        try await claim.confirmOwnerNowAndThen(deadline: deadline)
        guard let segment = try read(epoch) else { return }
        // What a segment tells is never undone: what it was read from is on the disk first. With it its number: a catalogue
        // that does not know the newest one is an old copy.
        try await catalogue.changeLater(
            .powerLoss, .set([Setting.journalBegun: segment.header.id.description]))
        try reach("journal.begun")
        let sum: [UInt8]
        do throws(ObjectStoreError) {
            sum = try await segments.put(
                segment.body, under: segment.key, time: segment.header.time, deadline: deadline)
            health.note(nil)
        } catch {
            health.note(error)
            throw .backup(error)
        }
        try reach("journal.sent")
        try await catalogue.changeLater(
            .powerLoss,
            .endSegment(.init(id: segment.header.id, sha256: sum), through: segment.header.lastChange))
        releaseRemovals()
    }

    private struct Segment {
        var header: SegmentHeader
        var key: JournalKey
        var body: SegmentBody
    }

    /// Reads what waits; nil if nothing does.
    private func read(_ epoch: Epoch) throws(FileSystemError) -> Segment? {
        let found = try catalogue.answer { reader throws(CatalogueError) -> Result<Segment, SegmentError>? in
            let end = try JournalEnd(reader)
            let last = try reader.newestJournalEntry()
            let isWaiting = try reader.lastJournalEntry() > 0
            guard end.needsBase || isWaiting else { return nil }
            let header = SegmentHeader(
                catalogue: end.catalogue, first: end.needsBase ? 0 : end.next(in: epoch).number,
                id: end.next(in: epoch), previous: end.needsBase ? nil : end.last, lastChange: last,
                pending: catalogue.uploadsAhead.earliest(try reader.earliestUpload()), time: currentTime())
            let body = try segments.write(header) { (receive) throws(CatalogueError) in
                if end.needsBase { try reader.everything(receive) } else { try reader.journal(receive) }
            }
            return body.map { Segment(header: header, key: JournalKey(first: header.first, id: header.id), body: $0) }
        }
        do throws(SegmentError) { return try found?.get() } catch { throw .main(error) }
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
            let (work, mustStart) = join()
            if mustStart { startShipping(work, deadline: deadline) }
            guard let outcome = await work.wait(until: deadline) else { throw .backupTimedOut }
            if mustStart { try outcome.get() }
        }
    }

    /// Runs `body` while no segment is on its way: what it reads is the moment of the last one, or later.
    func betweenSegments(
        deadline: ContinuousClock.Instant, _ body: () async throws(FileSystemError) -> Void
    ) async throws(FileSystemError) {
        while true {
            let (work, isOurs) = join()
            guard isOurs else {
                guard await work.wait(until: deadline) != nil else { throw .backupTimedOut }
                continue
            }
            defer { leave(work, .success(())) }
            return try await body()
        }
    }

    private func join() -> (work: SharedWork, mustStart: Bool) {
        progress.withLock { progress in
            if let current = progress.current { return (current, false) }
            let work = SharedWork()
            progress.current = work
            return (work, true)
        }
    }

    private func leave(_ work: SharedWork, _ outcome: SharedWork.Outcome) {
        progress.withLock { $0.current = nil }
        work.finish(outcome)
    }

    /// One segment at a time, so that their numbers rise with what they tell.
    private func startShipping(_ work: SharedWork, deadline: ContinuousClock.Instant) {
        Task(executorPreference: BlockingExecutor.shared) { [self] in
            do throws(FileSystemError) {
                try await shipSegment(deadline: deadline)
                leave(work, .success(()))
            } catch {
                counters.add(\.journalFailures)
                // Who has taken over is told once.
                let level: Logger.Level = claim.takeover == nil ? .warning : .debug
                logger.log(level: level, "the journal could not be shipped", metadata: ["error": "\(error)"])
                leave(work, .failure(error))
            }
        }
    }
}

extension FileSystemError {
    /// A segment that could not be written to, or read from, main's file system.
    static func main(_ error: SegmentError) -> FileSystemError {
        if case .localFile(let code) = error { return .main(errno: code, during: "writing a segment of the journal") }
        return .main(errno: EIO, during: "reading a segment of the journal")
    }
}
