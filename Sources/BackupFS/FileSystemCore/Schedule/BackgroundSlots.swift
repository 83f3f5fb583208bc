import Catalogue
import Synchronization

/// Which resources the background works on.
final class BackgroundSlots: Sendable {
    /// A resource with work that is due.
    struct Item: Sendable {
        var id: ResourceID
        /// It is large, or has failed before: it may take long.
        var isSlow: Bool
    }

    private let taken = Mutex<[ResourceID: Bool]>([:])

    /// Takes slots, `width` in all and at most half of them for slow work; returns the items that got one.
    func take(_ items: [Item], width: Int) -> [ResourceID] {
        taken.withLock { taken in
            var slow = taken.values.count { $0 }
            var chosen: [ResourceID] = []
            for item in items where taken[item.id] == nil && taken.count < width {
                if item.isSlow, slow >= max(1, width / 2) { continue }
                slow += item.isSlow ? 1 : 0
                taken[item.id] = item.isSlow
                chosen.append(item.id)
            }
            return chosen
        }
    }

    /// The work on a resource is done.
    func free(_ id: ResourceID) { _ = taken.withLock { $0.removeValue(forKey: id) } }

    /// Whether a slot is taken, and whether all are.
    func state(width: Int) -> (isBusy: Bool, isFull: Bool) { taken.withLock { (!$0.isEmpty, $0.count >= width) } }
}
