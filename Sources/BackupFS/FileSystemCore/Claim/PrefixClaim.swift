// A prefix of a bucket belongs to one catalogue: `.backupfs/catalogue.json` there names it. And it belongs to one mount at a
// time: the newest epoch is its owner's (docs/DURABILITY.md, One owner at a time). Both are looked at before the mount; if
// backup storage cannot be reached then, before the first upload.

import Catalogue
import Foundation
import Linux
import Logging
import ObjectStorage
import Synchronization

/// Makes sure that a prefix of backup storage is this catalogue's, and this mount's.
final class PrefixClaim: Sendable {
    enum State {
        /// Nobody has asked yet, or nobody has answered.
        case unknown
        /// It is ours; when the epochs were looked at last.
        case ours(Epoch, lookedAt: ContinuousClock.Instant)
        /// Another mount has claimed it since.
        case takenOver(OwnershipError)
    }

    let catalogue: CatalogueClient
    let store: any ObjectStore
    let epochs: EpochList
    let health: StoreHealth
    private let position: JournalPosition
    private let logger: Logger
    /// Held for no request.
    private let state = Mutex(State.unknown)
    /// Who waits for the claim that is being made; nil if none is.
    private let waiting = Mutex<[OneShot<Bool>]?>(nil)

    init(catalogue: CatalogueClient, store: any ObjectStore, health: StoreHealth, logger: Logger) {
        self.catalogue = catalogue
        self.store = store
        self.health = health
        self.logger = logger
        epochs = EpochList(store)
        position = JournalPosition(catalogue: catalogue, store: store)
    }

    /// What is known of it.
    var known: State { state.withLock { $0 } }

    /// Claims the prefix if nobody of this mount has yet: two claims at once would each take it over from the other.
    func claimOnce(deadline: ContinuousClock.Instant) async throws(OwnershipError) {
        while case .unknown = known {
            let turn = OneShot<Bool>()
            let isFirst = waiting.withLock { waiting in
                defer { waiting = (waiting ?? []) + [turn] }
                return waiting == nil
            }
            guard isFirst else {
                if await turn.value(until: deadline, late: { _ in false }) { continue }
                throw .store(.deadlineExceeded(reason: "the prefix is still being claimed"))
            }
            defer {
                let turns = waiting.withLock { $0.take() } ?? []
                for turn in turns { turn.decide(true) }
            }
            if case .unknown = known { try await claim(deadline: deadline) }
        }
    }

    /// The epochs were looked at, and the newest is our own.
    func looked(_ own: Epoch) { state.withLock { $0 = .ours(own, lookedAt: .now) } }

    /// Somebody has claimed the backup; told once.
    func lose(to error: OwnershipError) {
        let isNew = state.withLock { state in
            if case .takenOver = state { return false }
            state = .takenOver(error)
            return true
        }
        if isNew { logger.critical("\(error)") }
    }

    private struct Marker: Codable {
        var catalogue: String
        var format: Int
    }

    /// Makes sure that backup storage is there and its prefix is this catalogue's, and claims it for this mount.
    ///
    /// `isNew`: whoever mounts says that there is no backup there yet, although the catalogue had one elsewhere, or there
    /// before it was emptied. All that main has is uploaded there soon, and the journal begins anew.
    func claim(isNew: Bool = false, deadline: ContinuousClock.Instant) async throws(OwnershipError) {
        let identity: String
        let isClaimed: Bool
        do throws(FileSystemError) {
            identity = try catalogue.setting(Setting.catalogue) ?? ""
            // Since then our marker is there, whether a file is or not: an empty directory is a disk that is not mounted.
            isClaimed = try catalogue.setting(Setting.claimed) != nil
        } catch {
            throw .catalogue(error)
        }
        let outcome: Result<Epoch, OwnershipError>
        do throws(ObjectStoreError) {
            if let refusal = try await claimStore(identity, isClaimed: isClaimed && !isNew, deadline: deadline) {
                outcome = .failure(refusal)
            } else {
                outcome = try await claimEpoch(identity, deadline: deadline)
            }
        } catch {
            if error.meansUnreachable { health.note(error) }
            throw .store(error)
        }
        let epoch = try outcome.get()
        do throws(FileSystemError) {
            var settings = [Setting.claimed: "yes"]
            // The bucket is a new one, and has nothing of what main has.
            if isNew { settings[Setting.scrub] = ScrubSchedule.atOnce }
            try await catalogue.changeLater(.powerLoss, .set(settings))
            if isNew { try await catalogue.changeLater(.powerLoss, .beginJournal) }
        } catch {
            throw .catalogue(error)
        }
        state.withLock { $0 = .ours(epoch, lookedAt: .now) }
        health.note(nil)
    }

    /// Looks whose the store is, and makes one of nobody ours; returns why it cannot be.
    private func claimStore(
        _ identity: String, isClaimed: Bool, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        try await store.check(deadline: deadline)
        if let marker = try await readMarker(deadline: deadline) {
            return marker == identity ? nil : .belongsToAnother(location: store.location)
        }
        guard !isClaimed else { return .markerMissing(location: store.location) }
        if let refusal = try await PrefixNeighbours.refusal(of: store, deadline: deadline) { return refusal }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let body = (try? encoder.encode(Marker(catalogue: identity, format: 2))) ?? Data()
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

    /// Claims the next epoch, unless somebody has claimed one that this catalogue does not know.
    ///
    /// The journal is looked at before, so that nobody loses a backup to an old copy of its catalogue, and after: what an
    /// earlier owner stored by then is all that it will ever have acted on.
    private func claimEpoch(
        _ identity: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Result<Epoch, OwnershipError> {
        let known = try knownEpoch()
        let before = try await epochs.all(deadline: deadline)
        if let newest = before.last, known.map({ $0 < newest }) ?? true {
            return .failure(await takenOver(by: newest, deadline: deadline))
        }
        if try await position.isBehind(deadline: deadline) {
            return .failure(.catalogueIsOlder(location: store.location))
        }
        let own = Epoch(max(known?.number ?? 0, before.last?.number ?? 0) + 1, VersionID(now: currentTime()))
        // First, so that the next mount knows it for its own, whatever becomes of this one.
        do throws(FileSystemError) {
            try await catalogue.changeLater(.powerLoss, .set([Setting.epoch: own.description]))
        } catch {
            return .failure(.catalogue(error))
        }
        try await epochs.add(own, catalogue: identity, deadline: deadline)
        let after = try await epochs.all(deadline: deadline)
        if let newest = after.last, newest != own {
            return .failure(await takenOver(by: newest, deadline: deadline))
        }
        if try await position.isBehind(deadline: deadline) {
            return .failure(.catalogueIsOlder(location: store.location))
        }
        await epochs.removeOlder(after, than: own, deadline: deadline)
        return .success(own)
    }

    private func knownEpoch() throws(ObjectStoreError) -> Epoch? {
        do throws(FileSystemError) {
            return try catalogue.setting(Setting.epoch).flatMap { Epoch($0) }
        } catch {
            throw .unreachable(reason: "\(error)")
        }
    }

    func takenOver(by epoch: Epoch, deadline: ContinuousClock.Instant) async -> OwnershipError {
        let claimant = await epochs.claimant(epoch, deadline: deadline)
        return .takenOver(location: store.location, host: claimant.host, time: claimant.time)
    }

    /// Why a place whose marker was just written is not ours; nil if it is.
    func ownerRefusal(
        _ identity: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        try await readMarker(deadline: deadline) == identity ? nil : .belongsToAnother(location: store.location)
    }

    func readMarker(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> String? {
        guard let text = try await store.readSmall(PrefixNeighbours.marker, limit: 4096, deadline: deadline) else {
            return nil
        }
        return (try? JSONDecoder().decode(Marker.self, from: Data(text)))?.catalogue ?? ""
    }
}
