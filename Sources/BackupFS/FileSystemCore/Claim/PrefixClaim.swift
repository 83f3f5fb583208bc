// A prefix of a bucket belongs to one catalogue: `.backupfs/catalogue.json` there names it. It is looked at before the
// mount; if backup storage cannot be reached then, before the first upload.

import Catalogue
import Foundation
import ObjectStorage
import Synchronization

/// Makes sure that a prefix of backup storage is this catalogue's.
final class PrefixClaim: Sendable {
    let catalogue: CatalogueClient
    let store: any ObjectStore
    let main: MainStorage
    private let health: StoreHealth
    private let position: JournalPosition
    private let isVerified = Atomic(false)

    init(catalogue: CatalogueClient, store: any ObjectStore, main: MainStorage, health: StoreHealth) {
        self.catalogue = catalogue
        self.store = store
        self.main = main
        self.health = health
        position = JournalPosition(catalogue: catalogue, store: store)
    }

    private struct Marker: Codable {
        var catalogue: String
        var format: Int
    }

    /// Makes sure that backup storage is there and its prefix is this catalogue's; claims it at the first mount.
    ///
    /// `isNew`: whoever mounts says that there is no backup there yet, although the catalogue had one elsewhere, or there
    /// before it was emptied. All that main has is uploaded there soon.
    func claim(
        isNew: Bool = false, deadline: ContinuousClock.Instant
    ) async throws(OwnershipError) {
        let identity: String
        let isClaimed: Bool
        do throws(FileSystemError) {
            identity =
                try catalogue.setting(Setting.catalogue) ?? ""
            // Since then our marker is there, whether a file is or not: an empty directory is a disk that is not mounted.
            isClaimed =
                try catalogue.setting(Setting.claimed) != nil
        } catch {
            throw .catalogue(error)
        }
        let refusal: OwnershipError?
        do throws(ObjectStoreError) {
            refusal = try await claimStore(identity, isClaimed: isClaimed && !isNew, deadline: deadline)
        } catch {
            if error.meansUnreachable { health.note(error) }
            throw .store(error)
        }
        if let refusal { throw refusal }
        do throws(FileSystemError) {
            var settings = [Setting.claimed: "yes"]
            // The bucket is a new one, and has nothing of what main has.
            if isNew { settings[Setting.scrub] = ScrubSchedule.atOnce }
            try await catalogue.changeLater(.powerLoss, .set(settings))
        } catch {
            throw .catalogue(error)
        }
        isVerified.store(true, ordering: .releasing)
        health.note(nil)
    }

    /// Looks whose the store is, and makes one of nobody ours; returns why it cannot be.
    private func claimStore(
        _ identity: String, isClaimed: Bool, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        try await store.check(deadline: deadline)
        if let marker = try await readMarker(deadline: deadline) {
            guard marker == identity else { return .belongsToAnother(location: store.location) }
            return try await position.isBehind(deadline: deadline) ? .catalogueIsOlder(location: store.location) : nil
        }
        guard !isClaimed else { return .markerMissing(location: store.location) }
        if let refusal = try await PrefixNeighbours.refusal(of: store, deadline: deadline) { return refusal }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let body = (try? encoder.encode(Marker(catalogue: identity, format: 1))) ?? Data()
        switch try await store.create(
            PrefixNeighbours.marker, [UInt8](body), ObjectAttributes(contentType: "application/json"),
            deadline: deadline)
        {
        // One that is there may be ours: its answer was lost.
        case .created, .taken: return try await ownerRefusal(identity, deadline: deadline)
        case .notOffered:
            return try await claimByListing(identity, marker: [UInt8](body), deadline: deadline)
        }
    }

    /// Why a place whose marker was just written is not ours; nil if it is.
    func ownerRefusal(
        _ identity: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        try await readMarker(deadline: deadline) == identity ? nil : .belongsToAnother(location: store.location)
    }

    /// Before an upload: nothing is sent to a prefix that is not known to be ours.
    func verify(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if !isVerified.load(ordering: .acquiring) { try await confirm(deadline: deadline) }
    }

    /// Asks backup storage, whatever was known before.
    func confirm(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        do throws(OwnershipError) {
            try await claim(deadline: deadline)
        } catch {
            switch error {
            case .store(let error): throw .backup(error)
            case .catalogue(let error): throw error
            case .belongsToAnother, .markerMissing, .catalogueIsOlder, .insideAnother, .aroundAnother, .beingClaimed:
                throw .backup(.denied(.notOurs, message: "\(error)"))
            }
        }
    }

    func readMarker(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> String? {
        let stagedName = "marker-\(VersionID(now: currentTime()))"
        guard let staged = try? main.createStaged(stagedName) else { throw .localFile(errno: EIO) }
        defer { main.removeStaged(stagedName) }
        do throws(ObjectStoreError) {
            _ = try await store.get(PrefixNeighbours.marker, into: staged.number, limit: 4096, deadline: deadline)
        } catch .notFound {
            return nil
        }
        var text = [UInt8](repeating: 0, count: 4096)
        let count = pread(staged.number, &text, text.count, 0)
        guard count > 0, let marker = try? JSONDecoder().decode(Marker.self, from: Data(text[..<count])) else {
            return ""
        }
        return marker.catalogue
    }
}
