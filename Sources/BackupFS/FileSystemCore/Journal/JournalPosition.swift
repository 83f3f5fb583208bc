// Where the journal is, and whether backup storage has more of it than this catalogue.

import Catalogue
import Foundation
import ObjectStorage

/// How far this catalogue has come with its journal.
struct JournalPosition: Sendable {
    let catalogue: CatalogueClient
    let store: any ObjectStore

    /// Whether backup storage has segments that this catalogue has never begun to send.
    func isBehind(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Bool {
        let begun: SegmentID?
        do throws(FileSystemError) {
            begun = try catalogue.setting(Setting.journalBegun).flatMap { SegmentID($0) }
        } catch {
            throw .unreachable(reason: "\(error)")
        }
        let listing = try await JournalListing(store, from: begun?.number ?? 0, deadline: deadline)
        return listing.objects.contains { object in begun.map { $0 < object.key.id } ?? true }
    }
}

/// The end of the journal, as the catalogue has it.
struct JournalEnd: Sendable {
    /// The last segment that was stored, and its bytes' sum; nil before the first.
    var last: SegmentHeader.Link?
    /// The last sending that was begun.
    var begun: SegmentID?
    /// The next segment has to tell everything: there is no journal before it.
    var needsBase: Bool
    /// The catalogue's name.
    var catalogue: String

    init(_ reader: any CatalogueQuestions) throws(CatalogueError) {
        catalogue = try reader.setting(Setting.catalogue) ?? ""
        begun = try reader.setting(Setting.journalBegun).flatMap { SegmentID($0) }
        needsBase = try reader.setting(Setting.journalBase) != nil
        let sum = try reader.setting(Setting.journalSum).flatMap { Data(base64Encoded: $0) }
        if let id = try reader.setting(Setting.journal).flatMap({ SegmentID($0) }), let sum {
            last = .init(id: id, sha256: [UInt8](sum))
        }
    }

    /// The next sending, in an epoch: of the segment after the last one that was stored.
    func next(in epoch: Epoch) -> SegmentID {
        let number = (last?.id.number ?? 0) + 1
        let again = begun.map { $0.number == number && $0.epoch == epoch } ?? false
        return SegmentID(number: number, epoch: epoch, attempt: again ? (begun?.attempt ?? 0) + 1 : 1)
    }
}
