// A backup inside another's place, or around it, would be listed, adopted and removed with it. So neither is begun. Looked
// for is only what lies there when a place is claimed: nobody watches for what others begin around it later.

import ObjectStorage

/// What other backups there are around a place that nobody has claimed.
package enum PrefixNeighbours {
    /// The key of the object that says whose a place is.
    static let marker = ".backupfs/catalogue.json"
    /// How many listings of 1,000 keys are looked through for markers inside.
    private static let mostPages = 20

    /// Why a place cannot be a backup's; nil if there is a marker already, or no other backup around or inside it.
    package static func refusal(
        ofUnclaimed store: any ObjectStore, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        let found = try await store.list(prefix: marker, after: nil, deadline: deadline)
        if found.contains(where: { $0.key == marker }) { return nil }
        return try await refusal(of: store, deadline: deadline)
    }

    /// Why a place without a marker cannot be a backup's; nil if it can.
    static func refusal(
        of store: any ObjectStore, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> OwnershipError? {
        if let other = try await store.ancestor(holding: marker, deadline: deadline) {
            return .insideAnother(location: store.location, other: other)
        }
        var last: String?
        for _ in 1...mostPages {
            let page = try await store.list(prefix: "", after: last, deadline: deadline)
            if let inner = page.first(where: { $0.key.hasSuffix("/\(marker)") }) {
                let other = "\(store.location)/\(inner.key.dropLast(marker.utf8.count + 1))"
                return .aroundAnother(location: store.location, other: other)
            }
            guard page.count == 1000 else { return nil }
            last = page.last?.key
        }
        return nil
    }
}
