import FoundationEssentials

/// A row whose storages do not match: one line of `backupfs leftovers`.
package struct LeftoverReport: Codable, Sendable, Equatable {
    /// The file's path below the root, as `displayPath` shows it.
    package var key: String
    /// Why it is one: a few plain words, like `not in backup` or `deleted, still in backup`.
    package var reason: String
    /// The storages that hold it, as the row records them.
    package var stored: StoredIn
    /// Since when.
    package var since: Date
    /// The last failure with it, one line; nil if there was none.
    package var lastError: String?

    package init(key: String, reason: String, stored: StoredIn, since: Date, lastError: String?) {
        self.key = key
        self.reason = reason
        self.stored = stored
        self.since = since
        self.lastError = lastError
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(key, forKey: .key)
        try container.encode(reason, forKey: .reason)
        try container.encode(stored, forKey: .stored)
        try container.encode(since, forKey: .since)
        try container.encode(lastError, forKey: .lastError)
    }
}
