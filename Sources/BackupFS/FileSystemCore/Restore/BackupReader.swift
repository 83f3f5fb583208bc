// What can be had from a backup alone: its owner's name, and a catalogue as the journal tells it.

import Catalogue
import Foundation
import Glibc
import Linux
import ObjectStorage

/// A catalogue that was built from a journal.
struct RebuiltCatalogue: Sendable {
    /// The last segment that it has; nil if none was ever sent.
    var end: SegmentHeader?
    /// How many objects of the journal were read.
    var segments: Int
    var findings: RestoreFindings
    /// What keeps later segments out, one line each.
    var gaps: [String]
}

/// Reads a backup.
struct BackupReader: Sendable {
    let store: any ObjectStore
    let segments: SegmentStore
    /// How long one object may take.
    let patience: Duration

    /// `directory` is where segments are kept while they are read.
    init(_ store: any ObjectStore, directory: Descriptor, patience: Duration) {
        self.store = store
        self.patience = patience
        segments = SegmentStore(store) { () throws(SegmentError) in
            let name = "segment-\(VersionID(now: currentTime()))"
            do throws(SystemError) {
                let file = try directory.openBeneath(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
                unlinkat(directory.number, name, 0)
                return file
            } catch {
                throw .localFile(errno: error.code)
            }
        }
    }

    private struct Marker: Decodable { var catalogue: String }

    /// The name of the catalogue whose backup it is.
    func identity() async throws(RestoreError) -> String {
        do throws(ObjectStoreError) {
            try await store.check(deadline: .now + patience)
            let text = try await store.readSmall(PrefixNeighbours.marker, limit: 4096, deadline: .now + patience)
            let marker = text.flatMap { try? JSONDecoder().decode(Marker.self, from: Data($0)) }
            guard let marker, !marker.catalogue.isEmpty else { throw .notFound(key: PrefixNeighbours.marker) }
            return marker.catalogue
        } catch .notFound {
            throw .noBackup(location: store.location)
        } catch {
            throw .store(error)
        }
    }

    /// Builds `catalogue.sqlite` in a directory that has none, as the backup was last, or last by `time`.
    ///
    /// `settings` are remembered in it, beside those that tell where its journal ends.
    func rebuild(
        in directory: Descriptor, of identity: String, until time: Nanoseconds?, epoch: Epoch?,
        progress: @escaping @Sendable (RestoreProgress) -> Void
    ) async throws(RestoreError) -> RebuiltCatalogue {
        let reader = JournalReader(segments: segments, patience: patience)
        var excluded: Set<JournalKey> = []
        while true {
            let history: JournalHistory?
            do throws(JournalError) {
                history = try await reader.history(until: time, excluding: excluded)
            } catch {
                switch error {
                case .store(let error): throw .store(error)
                case .newerFormat(let format): throw .newerFormat(format)
                }
            }
            guard let history else {
                throw time == nil ? .noJournal(location: store.location) : .noMoment(location: store.location)
            }
            guard history.end?.catalogue ?? identity == identity else {
                throw .anotherCatalogue(location: store.location)
            }
            let settings = Self.settings(history, identity, epoch)
            // It keeps a core busy for a while.
            let built = await BulkWork.run { () throws(BuildFailure) in
                try Self.build(history, in: directory, settings, progress)
            }
            switch built {
            case .success(let findings):
                return RebuiltCatalogue(
                    end: history.end, segments: history.segments.count, findings: findings,
                    gaps: history.gaps + excluded.map { "\($0.key) is damaged" }.sorted())
            case .failure(.damaged(let key)): excluded.insert(key)
            case .failure(.other(let error)): throw error
            }
        }
    }

    private enum BuildFailure: Error {
        case damaged(JournalKey)
        case other(RestoreError)
    }

    private static func build(
        _ history: JournalHistory, in directory: Descriptor, _ settings: [String: String],
        _ progress: (RestoreProgress) -> Void
    ) throws(BuildFailure) -> RestoreFindings {
        for name in CatalogueFiles.names { unlinkat(directory.number, name, 0) }
        let builder = try recording { () throws(CatalogueError) in try CatalogueBuilder(directory: directory.number) }
        let segments = try ahead(history)
        defer { segments.stop() }
        var told = 0
        while let batch = try next(segments, history) {
            told += batch.records.count
            if told % 10_000 < batch.records.count {
                progress(.journal(segment: batch.segment + 1, of: history.segments.count, told: told))
            }
            try recording { () throws(CatalogueError) in try builder.apply(batch.records) }
        }
        return try recording { () throws(CatalogueError) in
            try builder.finish(RestoredEnd(settings: settings, lastChange: history.end?.lastChange ?? 0))
        }
    }

    private static func ahead(_ history: JournalHistory) throws(BuildFailure) -> SegmentsAhead {
        do throws(SystemError) { return try SegmentsAhead(history.segments.map(\.body)) } catch {
            throw .other(.main(.main(errno: error.code, during: "starting a thread")))
        }
    }

    private static func next(
        _ segments: SegmentsAhead, _ history: JournalHistory
    ) throws(BuildFailure) -> SegmentsAhead.Batch? {
        do throws(SegmentsAhead.Failure) { return try segments.next() } catch {
            throw failure(error.error, history.segments[error.segment].key)
        }
    }

    private static func recording<Value>(
        _ body: () throws(CatalogueError) -> Value
    ) throws(BuildFailure) -> Value {
        do throws(CatalogueError) { return try body() } catch { throw .other(.catalogue(error)) }
    }

    private static func failure(_ error: SegmentError, _ key: JournalKey) -> BuildFailure {
        switch error {
        case .damaged: .damaged(key)
        case .newerFormat(let format): .other(.newerFormat(format))
        case .localFile(let code): .other(.main(.main(errno: code, during: "reading a segment")))
        case .catalogue(let error): .other(.catalogue(error))
        }
    }

    /// What the catalogue remembers of the backup that it was built from.
    private static func settings(
        _ history: JournalHistory, _ identity: String, _ epoch: Epoch?
    ) -> [String: String] {
        var settings = [
            Setting.catalogue: identity, Setting.claimed: "yes", Setting.adopted: "yes",
            // The bucket is looked through at once, for what no segment tells.
            Setting.scrub: ScrubSchedule.atOnce,
            Setting.sweep: "\(history.end?.unsettledFrom ?? ChangePoint(epoch: 0, change: 0))",
        ]
        if let end = history.end {
            settings[Setting.journal] = "\(end.id)"
            settings[Setting.journalSum] = Data(history.sum).base64EncodedString()
        } else {
            settings[Setting.journalBase] = "needed"
        }
        // Nothing that is there was sent after it.
        if let newest = history.newest { settings[Setting.journalBegun] = "\(newest)" }
        if let epoch { settings[Setting.epoch] = "\(epoch)" }
        return settings
    }
}

/// The files of a catalogue in its directory.
enum CatalogueFiles {
    static let names = ["catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"]
}
