// What was moved out of the way in main. Each has a row, made before it is moved, so that nothing is moved and forgotten:
// the row says where it was, why it went, and whose copy it was, and it can be brought back.

/// Something that lies in `.backupfs/aside/ID/` under the path it had in main.
package struct AsideEntry: Sendable, Equatable {
    /// Why it was moved.
    package enum Reason: String, Sendable, CaseIterable {
        /// The catalogue does not know it, and its name was needed.
        case unknown
        /// A main copy whose content is not what was backed up.
        case damaged
        /// Content that no close has acknowledged, and that a power cut may have torn.
        case unacknowledged
        /// Main failed to write what programs had written to it.
        case notWritten
    }

    /// Its number, and the name of its directory in `.backupfs/aside`.
    package var id: Int64
    /// The file whose copy it was; nil for what the catalogue does not know.
    package var resource: ResourceID?
    /// The names from main's root down to it.
    package var path: [[UInt8]]
    package var reason: Reason
    package var since: Nanoseconds
    /// Where it is being brought back to; nil as long as nobody has asked for that.
    package var target: Dentry?

    package static func == (one: AsideEntry, other: AsideEntry) -> Bool { one.id == other.id }
}
