import FoundationEssentials

/// The row of one file: what `backupfs info` shows.
package struct ResourceReport: Codable, Sendable, Equatable {
    /// The file's path below the root, as `displayPath` shows it.
    package var key: String
    /// Where it is in its life cycle.
    package var status: Status
    /// When the row was created.
    package var createdAt: Date
    /// When it was asked to be deleted; nil if it was not.
    package var deletedAt: Date?
    /// The storages that hold it, as the row records them.
    package var stored: StoredIn
    /// The length in bytes.
    package var size: Int64
    /// How often its content was replaced: 1 for the first.
    package var version: Int64
    /// SHA-256 of the content in lower-case hexadecimal; nil before the first backup.
    package var sha256: String?
    /// The object's full key in the bucket; nil if backup storage has none.
    package var backupKey: String?
    /// The last failure with this file, one line; nil if there was none.
    package var lastError: String?

    package init(
        key: String, status: Status, createdAt: Date, deletedAt: Date?, stored: StoredIn, size: Int64, version: Int64,
        sha256: String?, backupKey: String?, lastError: String?
    ) {
        self.key = key
        self.status = status
        self.createdAt = createdAt
        self.deletedAt = deletedAt
        self.stored = stored
        self.size = size
        self.version = version
        self.sha256 = sha256
        self.backupKey = backupKey
        self.lastError = lastError
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(key, forKey: .key)
        try container.encode(status, forKey: .status)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(deletedAt, forKey: .deletedAt)
        try container.encode(stored, forKey: .stored)
        try container.encode(size, forKey: .size)
        try container.encode(version, forKey: .version)
        try container.encode(sha256, forKey: .sha256)
        try container.encode(backupKey, forKey: .backupKey)
        try container.encode(lastError, forKey: .lastError)
    }
}

extension ResourceReport {
    /// The life cycle of a resource.
    package enum Status: String, Codable, Sendable {
        /// Not complete in both storages yet.
        case creating
        /// Complete in both.
        case created
        /// Asked to be deleted.
        case deleted
    }
}

/// The storages that hold a resource, as its row records them.
package struct StoredIn: Codable, Sendable, Equatable {
    /// Main storage, the local disk.
    package var main: Bool
    /// Backup storage.
    package var backup: Bool

    package init(main: Bool, backup: Bool) {
        self.main = main
        self.backup = backup
    }
}
