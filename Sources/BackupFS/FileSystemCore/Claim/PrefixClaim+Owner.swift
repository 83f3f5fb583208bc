// What is asked of the claim after it was made.

import Catalogue
import ObjectStorage

extension PrefixClaim {
    /// How long segments trust the last look at the epochs; removals never do.
    private static let trust = Duration.seconds(30)

    /// Before an upload: nothing is sent to a prefix that is not known to be ours.
    func verify(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        _ = try await epoch(deadline: deadline)
    }

    /// The epoch that this mount has claimed.
    func epoch(deadline: ContinuousClock.Instant) async throws(FileSystemError) -> Epoch {
        do throws(OwnershipError) {
            try await claimOnce(deadline: deadline)
        } catch {
            throw Self.failure(error)
        }
        switch known {
        case .ours(let epoch, _): return epoch
        case .takenOver(let error): throw Self.failure(error)
        case .unknown: throw .backupTimedOut
        }
    }

    /// Asks backup storage, whatever was known before.
    func confirm(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        guard case .ours = known else { return try await verify(deadline: deadline) }
        do throws(ObjectStoreError) {
            let identity: String?
            do throws(FileSystemError) { identity = try catalogue.setting(Setting.catalogue) } catch {
                throw .unreachable(reason: "\(error)")
            }
            let marker = try await readMarker(deadline: deadline)
            health.note(nil)
            guard marker == identity else {
                let refusal: OwnershipError =
                    marker == nil
                    ? .markerMissing(location: store.location) : .belongsToAnother(location: store.location)
                throw .denied(.notOurs, message: "\(refusal)")
            }
        } catch {
            if error.meansUnreachable { health.note(error) }
            throw .backup(error)
        }
        try await confirmOwner(deadline: deadline)
    }

    /// Makes sure that nobody has claimed the backup since: before what cannot be undone.
    func confirmOwner(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let own = try await epoch(deadline: deadline)
        let newest: Epoch?
        do throws(ObjectStoreError) {
            newest = try await epochs.all(deadline: deadline).last
        } catch {
            if error.meansUnreachable { health.note(error) }
            throw .backup(error)
        }
        // None at all is no claim of anybody's: somebody has emptied the bucket.
        guard let newest, newest > own else { return looked(own) }
        let refusal = await takenOver(by: newest, deadline: deadline)
        lose(to: refusal)
        throw Self.failure(refusal)
    }

    /// The same, if that is not known since a while.
    func confirmOwnerNowAndThen(deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if case .ours(_, let lookedAt) = known, lookedAt + Self.trust > .now { return }
        try await confirmOwner(deadline: deadline)
    }

    /// One line that says who has taken the backup over; nil as long as nobody is known to have.
    var takeover: String? {
        if case .takenOver(let error) = known { "\(error)" } else { nil }
    }

    private static func failure(_ error: OwnershipError) -> FileSystemError {
        switch error {
        case .store(let error): .backup(error)
        case .catalogue(let error): error
        case .belongsToAnother, .markerMissing, .catalogueIsOlder, .insideAnother, .aroundAnother, .beingClaimed,
            .takenOver:
            .backup(.denied(.notOurs, message: "\(error)"))
        }
    }
}
