// How one of several becomes the owner where the store has no conditional PUT. Each puts a claim and then lists the claims.
// Who sees no other goes on, and keeps its claim until its marker is there: whoever put a claim later sees the one or the
// other. Of those who see each other all but the first in bytewise order give up, and the first waits until they have.
// So no clock decides, and it does not matter how long anything takes. What a store must do is list what was put before.

import ObjectStorage

extension PrefixClaim {
    private static let claims = ".backupfs/claim/"

    /// Claims a place without a marker; returns why it is somebody else's, nil if it is ours.
    func claimByListing(
        _ identity: String, marker: [UInt8], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        // With the catalogue's name a claim that a crash left is its own once more.
        let own = Self.claims + identity
        let attributes = ObjectAttributes(contentType: "application/json")
        let outcome: Result<OwnershipError?, ObjectStoreError>
        do throws(ObjectStoreError) {
            try await store.put(own, .bytes(marker), attributes, deadline: deadline)
            outcome = .success(try await winClaim(own, identity, marker, attributes, deadline: deadline))
        } catch {
            outcome = .failure(error)
        }
        // After the marker; one that stays is in nobody's way once the marker is there.
        try? await store.delete(own, deadline: deadline)
        return try outcome.get()
    }

    private func winClaim(
        _ own: String, _ identity: String, _ marker: [UInt8], _ attributes: ObjectAttributes,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        while true {
            let others = try await store.list(prefix: Self.claims, after: nil, deadline: deadline)
                .map(\.key).filter { $0 != own }
            // Whoever had a claim that is gone may have left the marker.
            if let owner = try await readMarker(deadline: deadline) {
                return owner == identity ? nil : .belongsToAnother(location: store.location)
            }
            if others.isEmpty {
                try await store.put(PrefixNeighbours.marker, .bytes(marker), attributes, deadline: deadline)
                return try await ownerRefusal(identity, deadline: deadline)
            }
            let pause = Duration.milliseconds(100)
            let isFirst = others.allSatisfy { own.utf8.lexicographicallyPrecedes($0.utf8) }
            guard isFirst, .now + pause < deadline else {
                return .beingClaimed(location: store.location, key: others.min() ?? "")
            }
            try? await Task.sleep(for: pause)
        }
    }
}
