// Where in the history of a backup something happened.

/// A claim of the backup by one mount (docs/DURABILITY.md, One owner at a time); a later one takes it over.
package struct Epoch: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Rises by one with each claim, from 1.
    package var number: Int64
    /// What tells claims with one number apart.
    package var id: VersionID

    package init(_ number: Int64, _ id: VersionID) {
        self.number = number
        self.id = id
    }

    /// What `description` gives.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int64(parts[0]), number > 0, VersionID.isWellFormed(parts[1]) else {
            return nil
        }
        self.init(number, VersionID(String(parts[1])))
    }

    /// `NUMBER~ID`.
    package var description: String { "\(number)~\(id)" }

    package static func < (one: Epoch, other: Epoch) -> Bool {
        (one.number, one.id.description) < (other.number, other.id.description)
    }
}

/// A moment in the history of a backup: after a change of the catalogue, while an epoch lasted.
package struct ChangePoint: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The epoch's number.
    package var epoch: Int64
    /// The change's number in the catalogue.
    package var change: Int64

    package init(epoch: Int64, change: Int64) {
        self.epoch = epoch
        self.change = change
    }

    /// What `description` gives.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Int64(parts[0]), let change = Int64(parts[1]), epoch >= 0, change >= 0
        else { return nil }
        self.init(epoch: epoch, change: change)
    }

    /// `EPOCH.CHANGE`.
    package var description: String { "\(epoch).\(change)" }

    package static func < (one: ChangePoint, other: ChangePoint) -> Bool {
        (one.epoch, one.change) < (other.epoch, other.change)
    }
}

/// One sending of a segment of the journal.
///
/// A segment whose sending failed may be there all the same; the next attempt tells what it told, and more.
package struct SegmentID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Rises by one with each segment, from 1.
    package var number: Int64
    package var epoch: Epoch
    /// Rises by one with each sending of a segment with this number, from 1.
    package var attempt: Int64

    package init(number: Int64, epoch: Epoch, attempt: Int64) {
        self.number = number
        self.epoch = epoch
        self.attempt = attempt
    }

    /// What `description` gives.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 4, let number = Int64(parts[0]), let attempt = Int64(parts[3]), number > 0, attempt > 0,
            let epoch = Epoch("\(parts[1])~\(parts[2])")
        else { return nil }
        self.init(number: number, epoch: epoch, attempt: attempt)
    }

    /// `NUMBER~EPOCH~OWNER~ATTEMPT`.
    package var description: String { "\(number)~\(epoch)~\(attempt)" }

    /// The later owner's comes after the earlier one's, whatever their numbers.
    package static func < (one: SegmentID, other: SegmentID) -> Bool {
        if one.epoch != other.epoch { return one.epoch < other.epoch }
        return (one.number, one.attempt) < (other.number, other.attempt)
    }
}
