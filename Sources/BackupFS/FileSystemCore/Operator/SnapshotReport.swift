import Foundation

/// A moment that the journal in the backup can be restored to.
package struct SnapshotReport: Codable, Sendable, Equatable {
    /// When it was; nil if the object does not say.
    package var moment: Date?
    /// Bytes of the object that tells it.
    package var bytes: Int64
    /// Whether the object tells everything, and not only what came after another one.
    package var isSnapshot: Bool

    package init(moment: Date?, bytes: Int64, isSnapshot: Bool) {
        self.moment = moment
        self.bytes = bytes
        self.isSnapshot = isSnapshot
    }
}
