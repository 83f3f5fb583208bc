import FoundationEssentials

/// Something that was moved out of the way in main: one line of `backupfs aside`.
package struct AsideReport: Codable, Sendable, Equatable {
    /// Its number, by which it is brought back or discarded.
    package var id: Int64
    /// The path that it had below the root, or has now that it is back, as `displayPath` shows it.
    package var key: String
    /// Why it was moved, in a few plain words.
    package var reason: String
    /// Since when.
    package var since: Date

    package init(id: Int64, key: String, reason: String, since: Date) {
        self.id = id
        self.key = key
        self.reason = reason
        self.since = since
    }
}
