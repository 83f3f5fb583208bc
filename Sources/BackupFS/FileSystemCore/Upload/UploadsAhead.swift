// Uploads that have begun and have no row yet: the journal must not tell that everything before its end is settled.

import Catalogue
import Synchronization

/// When the uploads began that no version's row tells of.
final class UploadsAhead: Sendable {
    private let points = Mutex<[ObjectIdentifier: ChangePoint]>([:])

    /// The earliest of them; nil if there is none.
    var earliest: ChangePoint? { points.withLock { $0.values.min() } }

    /// An upload of `owner` begins no earlier than at `point`.
    func begin(_ owner: AnyObject, at point: ChangePoint) {
        points.withLock { $0[ObjectIdentifier(owner)] = point }
    }

    /// The upload has a row, or there will be no object of it.
    func end(_ owner: AnyObject) {
        points.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(owner)) }
    }

    /// The earlier of what rows tell and what is known here.
    func earliest(_ told: ChangePoint?) -> ChangePoint? {
        [told, earliest].compactMap(\.self).min()
    }
}
