import Catalogue
import Foundation
import ObjectStorage

extension OperatorDesk {
    func snapshots(isNew: Bool) async throws -> [SnapshotReport] {
        if isNew { _ = try await compactor.snapshot() }
        let deadline = settings.deadline(size: 0)
        guard let end = try catalogue.answer(JournalEnd.init).last else { return [] }
        let listing: JournalListing
        do throws(ObjectStoreError) { listing = try await JournalListing(store, deadline: deadline) } catch {
            throw OperatorError(message: "\(FileSystemError.backup(error))")
        }
        let newest = listing.object(endingWith: end.id)?.key
        let objects = listing.objects.filter { $0.key.first == 0 || $0.key == newest }
            .sorted { $0.key.id < $1.key.id }
        return await inParallel(objects, width: settings.backgroundTransfers) { [store] object in
            let summary = try? await store.head(object.key.key, deadline: deadline)
            let time = summary.flatMap { $0 }?.metadata[SegmentStore.timeName].flatMap { Int64($0) }
            return SnapshotReport(
                moment: time.map { Date(timeIntervalSince1970: Double($0) / 1e9) }, bytes: object.size,
                isSnapshot: object.key.first == 0)
        }
    }
}
