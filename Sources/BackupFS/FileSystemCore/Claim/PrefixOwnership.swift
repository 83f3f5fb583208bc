// A prefix of a bucket belongs to one catalogue: `.backupfs/catalogue.json` there names it. It is looked at before the
// mount; if backup storage cannot be reached then, before the first upload.

import Catalogue
import Foundation
import ObjectStorage
import Synchronization

/// Whether backup storage is known to be ours.
final class PrefixOwnership: Sendable {
    private let verified = Atomic(false)

    var isVerified: Bool { verified.load(ordering: .acquiring) }

    func setVerified() { verified.store(true, ordering: .releasing) }
}

/// Why backup storage is refused.
package enum OwnershipError: Error, Equatable {
    /// The prefix belongs to another catalogue.
    case belongsToAnother(location: String)
    /// The catalogue says that files are stored there, and the prefix has no marker.
    case markerMissing(location: String)
    /// The journal there has segments that the catalogue never sent: the catalogue is an old copy.
    case catalogueIsOlder(location: String)
    /// A place above belongs to a catalogue, and so does all that is inside it.
    case insideAnother(location: String, other: String)
    /// A place inside belongs to another catalogue.
    case aroundAnother(location: String, other: String)
    /// Somebody else is claiming it at the same moment, or died while claiming it: `key` is there because of that.
    case beingClaimed(location: String, key: String)
    /// Backup storage did not answer or refused us.
    case store(ObjectStoreError)
    case catalogue(CatalogueError)
}

extension OwnershipError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .belongsToAnother(let location):
            "\(location) belongs to another BackupFS catalogue: use another prefix, or the main directory that it belongs to"
        case .markerMissing(let location):
            "\(location) has no BackupFS marker although this catalogue has its backup there: is it the right bucket "
                + "and prefix? if the backup is to begin anew there, mount with --new-bucket"
        case .catalogueIsOlder(let location):
            "\(location) has newer names than the catalogue, which is an old copy: put the newest catalogue.sqlite back"
        case .insideAnother(let location, let other):
            "\(location) lies inside the BackupFS backup \(other): use a place beside that one"
        case .aroundAnother(let location, let other):
            "the BackupFS backup \(other) lies inside \(location): use a place that has no other backup inside"
        case .beingClaimed(let location, let key):
            "\(location) is just being claimed by another BackupFS: if none is, remove the object \(key) and try again"
        case .store(let error): "\(error)"
        case .catalogue(let error): "the catalogue: \(error)"
        }
    }
}

extension BackupFileSystem {
    private struct Marker: Codable {
        var catalogue: String
        var format: Int
    }

    /// Makes sure that backup storage is there and its prefix is this catalogue's; claims it at the first mount.
    ///
    /// `isNew`: whoever mounts says that there is no backup there yet, although the catalogue had one elsewhere, or there
    /// before it was emptied. All that main has is uploaded there soon.
    package func claimPrefix(
        isNew: Bool = false, deadline: ContinuousClock.Instant
    ) async throws(OwnershipError) {
        let identity: String
        let isClaimed: Bool
        do throws(CatalogueError) {
            identity =
                try catalogue.read { reader throws(CatalogueError) in try reader.setting(Setting.catalogue) } ?? ""
            // Since then our marker is there, whether a file is or not: an empty directory is a disk that is not mounted.
            isClaimed =
                try catalogue.read { reader throws(CatalogueError) in try reader.setting(Setting.claimed) } != nil
        } catch {
            throw .catalogue(error)
        }
        let refusal: OwnershipError?
        do throws(ObjectStoreError) {
            refusal = try await claimStore(identity, isClaimed: isClaimed && !isNew, deadline: deadline)
        } catch {
            if error.meansUnreachable { noteStore(error) }
            throw .store(error)
        }
        if let refusal { throw refusal }
        do throws(CatalogueError) {
            try await catalogue.changeLater(.powerLoss) { writer throws(CatalogueError) in
                try writer.set(Setting.claimed, to: "yes")
                if isNew { try Self.scrubNow(writer) }
            }
        } catch {
            throw .catalogue(error)
        }
        ownership.setVerified()
        noteStore(nil)
    }

    /// Looks whose the store is, and makes one of nobody ours; returns why it cannot be.
    private func claimStore(
        _ identity: String, isClaimed: Bool, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        try await store.check(deadline: deadline)
        if let marker = try await readMarker(deadline: deadline) {
            guard marker == identity else { return .belongsToAnother(location: store.location) }
            return try await isBehindJournal(deadline: deadline) ? .catalogueIsOlder(location: store.location) : nil
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
    func verifyOwnership(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if !ownership.isVerified { try await confirmOwnership(deadline: deadline) }
    }

    /// Asks backup storage, whatever was known before.
    func confirmOwnership(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        do throws(OwnershipError) {
            try await claimPrefix(deadline: deadline)
        } catch {
            switch error {
            case .store(let error): throw .backup(error)
            case .catalogue(let error): throw .catalogue(error)
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
