// What the catalogue says of the bucket, in the order of the keys: the other side of a listing.

import GRDB

/// The object that is the content of a live file, as the catalogue has it.
package struct StoredObject: Sendable {
    /// The version that it holds.
    package var version: Version
    /// Whether the row says that backup has it; false once it was found missing.
    package var inBackup: Bool
}

/// What a file lives on whose object was lost.
package enum ObjectLoss: Sendable {
    /// Main has it: it is uploaded again.
    case uploadedAgain
    /// Nothing has it.
    case inNoStorage
}

extension CatalogueReader {
    /// Comes after every key.
    package static let afterEveryKey = "\u{10FFFF}"

    /// Up to `limit` objects that files live on, by key in bytewise order: those after `first`, up to `last` with it.
    package func storedObjects(
        after first: String, through last: String, limit: Int
    ) throws(CatalogueError) -> [StoredObject] {
        try rows(
            """
            SELECT version.*, resource.in_backup FROM version CROSS JOIN resource ON resource.id = version.resource
            WHERE version.key > ? AND version.key <= ? AND version.state = 'stored'
                AND resource.version = version.id AND resource.status <> 'deleted'
            ORDER BY version.key LIMIT ?
            """, [first, last, limit]
        ).map { StoredObject(version: Version(row: $0), inBackup: $0["in_backup"]) }
    }

    /// Those of the keys that are on record, whatever is to become of their objects.
    package func knownKeys(_ keys: [String]) throws(CatalogueError) -> Set<String> {
        var known: Set<String> = []
        for key in keys where try row("SELECT 1 FROM version WHERE key = ?", [key]) != nil { known.insert(key) }
        return known
    }
}

extension CatalogueWriter {
    /// The object that a live file's row names is not in backup as it was stored there.
    ///
    /// Returns nil, and changes nothing, if the row names another version by now.
    package func noteLoss(
        of version: Version, hasMainCopy: Bool, error: String, now: Nanoseconds
    ) throws(CatalogueError) -> ObjectLoss? {
        guard let row = try reader.resource(version.resource), row.status != .deleted, row.version == version.id else {
            return nil
        }
        try markNotInBackup(row.id, error: nil)
        if row.inBackup { try noteError(row.id, error: error, now: now) }
        guard hasMainCopy else {
            try markNotInMain(row.id)
            return row.needsUpload ? .uploadedAgain : .inNoStorage
        }
        if !row.needsUpload { try markNeedsUpload(row.id, due: now) }
        return .uploadedAgain
    }

    /// The object that a row names is back; nothing happens if it names another one by now.
    package func noteReturn(of version: Version) throws(CatalogueError) {
        guard let row = try reader.resource(version.resource), row.version == version.id, !row.inBackup else { return }
        try markInBackup(row.id)
        if !row.needsUpload { try settle(row.id) }
    }
}
