// Keeps the journal short. Segments that became many are merged into one, and what was merged into larger and larger ones is
// replaced by a snapshot when it has told about as much as there is. So the journal has some dozens of objects at any time, and
// what is sent in all stays within a few times what changed. docs/BUCKET.md has the rules.

import Catalogue
import Foundation
import Linux
import Logging
import ObjectStorage

/// Merges segments and takes snapshots.
final class JournalCompactor: Sendable {
    /// So many segments are merged into one, and so many merged ones again.
    static let fanIn = 32
    /// Bytes that are merged at most; more of them are worth a snapshot.
    private static let largestMerge: Int64 = 16 << 20
    /// A snapshot is due when the segments since the last one are so many times as long as it.
    private static let growth: Int64 = 2
    /// A segment that tells so many others was merged, or was merged twice.
    private static let mergedWidth = Int64(fanIn)
    private static let mergedTwiceWidth = Int64(fanIn * fanIn / 2)

    private let settings: FileSystemSettings
    private let catalogue: CatalogueClient
    private let segments: SegmentStore
    private let claim: PrefixClaim
    private let journal: JournalShipper
    private let counters: Counters
    private let logger: Logger
    private var store: any ObjectStore { segments.store }

    init(
        journal: JournalShipper, settings: FileSystemSettings, catalogue: CatalogueClient, counters: Counters,
        logger: Logger
    ) {
        self.journal = journal
        self.settings = settings
        self.catalogue = catalogue
        self.counters = counters
        self.logger = logger
        segments = journal.segments
        claim = journal.claim
    }

    /// Looks after the journal until the background is stopped.
    func run(_ task: Pacemaker) async {
        var compacted: Int64?
        await task.sleep(atMost: .seconds(10))
        while !task.isStopped {
            let number = (try? catalogue.answer(JournalEnd.init))?.last?.id.number ?? 0
            if compacted.map({ number - $0 >= Self.fanIn }) ?? (number > 0) {
                do throws(FileSystemError) {
                    try await compact()
                    compacted = number
                } catch {
                    counters.add(\.journalFailures)
                    // Who has taken over is told once.
                    let level: Logger.Level = claim.takeover == nil ? .warning : .debug
                    logger.log(level: level, "the journal was not merged", metadata: ["error": "\(error)"])
                    await task.sleep(atMost: .seconds(60))
                }
            }
            await task.sleep(atMost: .seconds(5))
        }
    }

    /// Merges what is many.
    func compact() async throws(FileSystemError) {
        let deadline = settings.deadline(size: Self.largestMerge)
        while let end = try catalogue.answer(JournalEnd.init).last {
            let listing = try await list(deadline: deadline)
            let chain = listing.chain(to: end.id)
            switch Self.plan(chain) {
            case .nothing: return
            case .snapshot:
                _ = try await snapshot()
                return
            case .merge(let run):
                if try await merge(run, listing, deadline: deadline) { continue }
                // Something is not as it was sent: the catalogue still knows all of it.
                logger.error("a part of the journal is damaged in backup storage: a snapshot replaces it")
                _ = try await snapshot()
                return
            }
        }
    }

    private typealias Object = (key: JournalKey, size: Int64)

    private enum Plan {
        case nothing
        case merge([Object])
        case snapshot
    }

    private static func plan(_ chain: [Object]) -> Plan {
        guard let base = chain.first, base.key.isBase else { return .snapshot }
        let rest = Array(chain.dropFirst())
        let fresh = Array(rest.reversed().prefix { $0.key.width < mergedWidth }.reversed())
        guard fresh.count >= fanIn else {
            let merged = Array(
                rest.dropLast(fresh.count).reversed().prefix { $0.key.width < mergedTwiceWidth }.reversed())
            guard merged.count >= fanIn else { return .nothing }
            return merged.reduce(0) { $0 + $1.size } > largestMerge ? .snapshot : .merge(merged)
        }
        let sinceBase = rest.reduce(0) { $0 + $1.size }
        let isLarge = fresh.reduce(0) { $0 + $1.size } > largestMerge
        // The objects merged twice are few: a snapshot comes before they are many.
        let isLong = rest.count >= 3 * fanIn - 8
        return sinceBase >= growth * base.size || isLarge || isLong ? .snapshot : .merge(fresh)
    }

    private func list(deadline: ContinuousClock.Instant) async throws(FileSystemError) -> JournalListing {
        do throws(ObjectStoreError) {
            return try await JournalListing(store, deadline: deadline)
        } catch {
            throw .backup(error)
        }
    }

    // MARK: Merging

    /// Replaces segments by one that tells the same; false if they are not what was sent.
    private func merge(
        _ run: [Object], _ listing: JournalListing, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        var merged = MergedSegments()
        for object in run {
            guard let found = try await get(object, deadline: deadline) else { return false }
            do throws(SegmentError) {
                try merged.add(found.body, sha256: found.sha256, key: object.key)
            } catch {
                return false
            }
        }
        guard let header = merged.merged else { return true }
        let key = JournalKey(first: header.first, id: header.id)
        try await put(
            try written(segments.write(header) { receive in merged.tell(receive) }), key, time: header.time,
            deadline: deadline)
        // With them those whose sending seemed to have failed.
        let gone = listing.objects.map(\.key).filter { object in
            object.first >= header.first && object.id.number <= header.id.number && object.id <= header.id
                && object != key
        }
        try await remove(gone.map(\.key), deadline: deadline)
        return true
    }

    private func get(
        _ object: Object, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> (body: SegmentBody, sha256: [UInt8])? {
        do throws(ObjectStoreError) {
            return try await segments.get(object.key, size: object.size, deadline: deadline)
        } catch .corrupted {
            return nil
        } catch {
            throw .backup(error)
        }
    }

    private func put(
        _ body: SegmentBody, _ key: JournalKey, time: Nanoseconds, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) {
        do throws(ObjectStoreError) {
            _ = try await segments.put(body, under: key, time: time, deadline: deadline)
        } catch {
            throw .backup(error)
        }
    }

    private func written(_ result: Result<SegmentBody, SegmentError>) throws(FileSystemError) -> SegmentBody {
        do throws(SegmentError) { return try result.get() } catch { throw .main(error) }
    }

    /// Removes what is told elsewhere, if nobody has taken the backup over: who has may be reading it.
    private func remove(_ keys: [String], deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        guard !keys.isEmpty else { return }
        try reach("journal.merged")
        try await claim.confirmOwner(deadline: deadline)
        do throws(ObjectStoreError) {
            // What stays is in nobody's way, and goes with the next merge or snapshot.
            _ = try await store.delete(keys, deadline: deadline)
        } catch {
            throw .backup(error)
        }
    }

    // MARK: Snapshots

    private struct Snapshot: Sendable {
        var key: JournalKey
        var time: Nanoseconds
        var body: Result<SegmentBody, SegmentError>
    }

    /// Tells everything in one segment that takes the place of all so far; nil if there is none so far.
    ///
    /// The snapshot before it stays, and what leads from that one to this: the newest that can be read counts.
    func snapshot() async throws(FileSystemError) -> JournalKey? {
        try await journal.sync()
        let started = ContinuousClock.now
        guard let snapshot = try await readSnapshot() else { return nil }
        let body = try written(snapshot.body)
        let deadline = settings.deadline(size: body.length)
        try await put(body, snapshot.key, time: snapshot.time, deadline: deadline)
        let listing = try await list(deadline: deadline)
        let before = listing.objects.map(\.key).filter { $0.first == 0 && $0.id < snapshot.key.id }.max {
            $0.id < $1.id
        }
        let gone = listing.objects.map(\.key).filter { object in
            before.map { object != $0 && object.id.number <= $0.id.number && object.id <= $0.id } ?? false
        }
        try await remove(gone.map(\.key) + listing.others, deadline: deadline)
        let seconds = started.duration(to: .now) / .seconds(1)
        logger.info(
            "the journal has a new snapshot", metadata: ["bytes": "\(body.length)", "seconds": "\(seconds)"])
        return snapshot.key
    }

    /// Reads everything at a moment at which no segment is on its way; those that follow need not wait for its end.
    private func readSnapshot() async throws(FileSystemError) -> Snapshot? {
        let deadline = settings.deadline(size: 0)
        let hasBegun = SharedWork()
        try await claim.verify(deadline: deadline)
        let segments = segments
        let ahead = catalogue.uploadsAhead
        let question = CatalogueQuestion<Snapshot?> { reader throws(CatalogueError) in
            let end = try JournalEnd(reader)
            hasBegun.finish(.success(()))
            guard let last = end.last else { return nil }
            let header = SegmentHeader(
                catalogue: end.catalogue, first: 0, id: last.id, previous: nil, sealed: last.sha256,
                lastChange: try reader.newestJournalEntry(), pending: ahead.earliest(try reader.earliestUpload()),
                time: currentTime())
            let body = try segments.write(header) { (receive) throws(CatalogueError) in
                try reader.everything(receive)
            }
            return Snapshot(key: JournalKey(first: 0, id: last.id), time: header.time, body: body)
        }
        var reading: Task<Result<Snapshot?, FileSystemError>, Never>?
        try await journal.betweenSegments(deadline: deadline) { [catalogue] () async throws(FileSystemError) in
            reading = Task {
                let result = await Result { () async throws(FileSystemError) in
                    try await catalogue.askAtLength(question)
                }
                hasBegun.finish(.success(()))
                return result
            }
            guard await hasBegun.wait(until: deadline) != nil else { throw .backupTimedOut }
        }
        return try await reading?.value.get()
    }
}

extension SegmentBody {
    /// How many bytes it has.
    var length: Int64 {
        switch self {
        case .memory(let bytes): Int64(bytes.count)
        case .file(_, let length): length
        }
    }
}
