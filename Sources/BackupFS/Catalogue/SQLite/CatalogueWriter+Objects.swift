import Foundation
import GRDB

extension CatalogueReader {
    func storedObjects(
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

    func filesInBackupOnly(after first: ResourceID, limit: Int) throws(CatalogueError) -> [Resource] {
        try rows(
            """
            SELECT \(Resource.columns) FROM resource
            WHERE id > ? AND kind = 'file' AND status <> 'deleted' AND in_main = 0 AND in_backup = 1 ORDER BY id LIMIT ?
            """, [first.rawValue, limit]
        ).map(Resource.init(row:))
    }

    func knownKeys(_ keys: [String]) throws(CatalogueError) -> Set<String> {
        var known: Set<String> = []
        for key in keys where try row("SELECT 1 FROM version WHERE key = ?", [key]) != nil { known.insert(key) }
        return known
    }
}

extension CatalogueWriter {
    func keepOrphan(_ version: Version, until: Nanoseconds, now: Nanoseconds) throws(CatalogueError) {
        // Its file is not on record, or lives on something else: the row is the root's.
        try run(
            """
            INSERT INTO version (id, resource, key, size, sha256, state, created_at, due, kept_until)
            VALUES (?, 1, ?, ?, ?, 'abandoned', ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [version.id.description, version.key, version.size, Data(version.sha256), now, until, until])
    }

    func forgetUnstored(through last: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        let unstored = try reader.rows(
            """
            SELECT id FROM resource WHERE status = 'creating' AND kind = 'file' AND in_main = 0 AND version IS NULL
                AND due IS NULL AND main_inode = 0 AND id <= ?
            """, [last.rawValue])
        for row in unstored { try undoCreate(ResourceID(row[0]), now: now) }
    }

    func noteLoss(
        of version: Version, hasMainCopy: Bool, error: String, now: Nanoseconds
    ) throws(CatalogueError) -> ObjectLoss? {
        guard let row = try reader.resource(version.resource), row.status != .deleted, row.version == version.id else {
            return nil
        }
        try markNotInBackup(row.id, error: nil)
        if row.inBackup { try noteError(row.id, error: error, now: now) }
        guard hasMainCopy else {
            try markNotInMain(row.id, seen: row.mainInode)
            return row.needsUpload ? .uploadedAgain : .inNoStorage
        }
        if !row.needsUpload { try markNeedsUpload(row.id, due: now) }
        return .uploadedAgain
    }

    func noteReturn(of version: Version) throws(CatalogueError) {
        guard let row = try reader.resource(version.resource), row.version == version.id, !row.inBackup else { return }
        try markInBackup(row.id)
        if !row.needsUpload { try settle(row.id) }
    }
}
