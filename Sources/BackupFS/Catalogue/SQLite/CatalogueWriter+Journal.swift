// What the journal is told, read from the tables.

import Foundation
import GRDB

extension CatalogueReader {
    /// A resource with what its record needs beside the row: how often it was stored, its last name, its content.
    static let recordedResource = """
        \(Resource.columns), resource.version_number AS versions, resource.deleted_parent, resource.deleted_name,
            version.id AS version_id, version.key, version.size AS length, version.sha256, version.epoch, version.change
        FROM resource LEFT JOIN version ON version.id = resource.version
        """

    func journal(_ receive: (JournalRecord) -> Void) throws(CatalogueError) {
        try each("SELECT DISTINCT entity, owner, name FROM outbox") { entry throws(CatalogueError) in
            let owner: Int64 = entry["owner"]
            let name = (entry["name"] as Data?).map(bytes) ?? []
            switch entry["entity"] as String {
            case "resource":
                let found = try row("SELECT \(Self.recordedResource) WHERE resource.id = ?", [owner])
                receive(found.map { .resource(.init(row: $0)) } ?? .erasedResource(id: owner))
            case "name":
                let found = try row("SELECT resource FROM name WHERE parent = ? AND name = ?", [owner, Data(name)])
                receive(
                    found.map { .name(parent: owner, name: name, resource: $0[0]) }
                        ?? .removedName(parent: owner, name: name))
            case "version":
                let id = String(decoding: name, as: UTF8.self)
                let found = try row("SELECT * FROM version WHERE id = ? AND kept_until IS NOT NULL", [id])
                receive(found.map { .version(.init(row: $0)) } ?? .removedVersion(id: id))
            default:
                let value = try xattr(ResourceID(owner), XattrName(name))
                receive(
                    value.map { .xattr(resource: owner, name: name, value: $0) }
                        ?? .removedXattr(resource: owner, name: name))
            }
        }
    }

    func earliestUpload() throws(CatalogueError) -> ChangePoint? {
        // One that an older program began may have begun at any time.
        try row(
            """
            SELECT coalesce(epoch, 0), coalesce(change, 0) FROM version WHERE state = 'uploading'
            ORDER BY 1, 2 LIMIT 1
            """, []
        ).map { ChangePoint(epoch: $0[0], change: $0[1]) }
    }

    /// Goes through the rows one at a time: there may be millions.
    func each(_ sql: String, _ body: (Row) throws(CatalogueError) -> Void) throws(CatalogueError) {
        try SQLiteCatalogue.translating {
            let rows = try Row.fetchCursor(database.makeStatement(sql: sql))
            while let row = try rows.next() { try body(row) }
        }
    }
}

extension CatalogueWriter {
    func tell(_ id: ResourceID) throws(CatalogueError) {
        try run("INSERT INTO outbox (entity, owner) VALUES ('resource', ?)", [id.rawValue])
    }

    func shipped(through last: Int64) throws(CatalogueError) {
        try run("DELETE FROM outbox WHERE sequence <= ?", [last])
    }
}

extension JournalRecord.Content {
    /// `id` is the column that has the version's id.
    init(row: Row, id: String, size: String) {
        var point: ChangePoint?
        if let epoch = row["epoch"] as Int64?, let change = row["change"] as Int64? {
            point = ChangePoint(epoch: epoch, change: change)
        }
        self.init(id: row[id], key: row["key"], size: row[size], sha256: bytes(row["sha256"]), point: point)
    }
}

extension JournalRecord.ResourceRecord {
    init(row: Row) {
        let resource = Resource(row: row)
        self.init(
            id: resource.id.rawValue, kind: resource.kind, status: resource.status, mode: resource.mode,
            uid: resource.uid, gid: resource.gid, size: resource.size, accessed: resource.accessed,
            modified: resource.modified, changed: resource.changed, createdAt: resource.createdAt,
            target: resource.target, device: resource.device, versionNumber: row["versions"])
        if let time = resource.deletedAt {
            var dentry: Dentry?
            if let parent = row["deleted_parent"] as Int64?, let name = row["deleted_name"] as Data? {
                dentry = Dentry(ResourceID(parent), bytes(name))
            }
            deletion = JournalRecord.Deletion(time: time, dentry: dentry)
        }
        if row["version_id"] as String? != nil {
            content = JournalRecord.Content(row: row, id: "version_id", size: "length")
        }
    }
}

extension JournalRecord.VersionRecord {
    init(row: Row) {
        self.init(
            resource: row["resource"], content: .init(row: row, id: "id", size: "size"), createdAt: row["created_at"],
            keptUntil: row["kept_until"])
    }
}
