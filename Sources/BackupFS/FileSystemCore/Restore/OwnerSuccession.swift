// How a restore becomes the owner of a backup (docs/DURABILITY.md, One owner at a time).

import Catalogue
import ObjectStorage

/// Takes a backup over from whoever had it.
struct OwnerSuccession: Sendable {
    let store: any ObjectStore
    let patience: Duration
    private var epochs: EpochList { EpochList(store) }

    /// Refuses a backup that was written a moment ago, by the store's own clock.
    func refuseIfInUse(recent: Duration) async throws(RestoreError) {
        let summary: ObjectSummary?
        do throws(ObjectStoreError) {
            let listing = try await JournalListing(store, deadline: .now + patience)
            guard let newest = listing.objects.map(\.key).max(by: { $0.id < $1.id }) else { return }
            summary = try await store.head(newest.key, deadline: .now + patience)
        } catch {
            throw .store(error)
        }
        guard let age = summary?.age, age < recent else { return }
        var host = ""
        if let newest = try await newest() { host = await epochs.claimant(newest, deadline: .now + patience).host }
        throw .inUse(location: store.location, seconds: Int(age / .seconds(1)), host: host)
    }

    /// The newest claim; nil if there is none.
    func newest() async throws(RestoreError) -> Epoch? {
        do throws(ObjectStoreError) { return try await epochs.all(deadline: .now + patience).last } catch {
            throw .store(error)
        }
    }

    /// Claims the next epoch; nil if the credentials may read only.
    ///
    /// The journal is read after that.
    func claim(for identity: String) async throws(RestoreError) -> Epoch? {
        do throws(ObjectStoreError) {
            let newest = try await epochs.all(deadline: .now + patience).last
            let own = Epoch((newest?.number ?? 0) + 1, VersionID(now: currentTime()))
            do throws(ObjectStoreError) {
                try await epochs.add(own, catalogue: identity, deadline: .now + patience)
            } catch .denied {
                return nil
            }
            let all = try await epochs.all(deadline: .now + patience)
            if let last = all.last, last != own {
                let other = await epochs.claimant(last, deadline: .now + patience)
                throw .denied(
                    .notOurs,
                    message: "\(OwnershipError.takenOver(location: store.location, host: other.host, time: other.time))"
                )
            }
            await epochs.removeOlder(all, than: own, deadline: .now + patience)
            return own
        } catch {
            throw .store(error)
        }
    }
}
