import GRDB

/// The rows that records become, on their way into the tables.
final class BulkRows {
    let resources: BulkInsert
    let names: BulkInsert
    let xattrs: BulkInsert
    let versions: BulkInsert

    init(_ database: Database) throws {
        resources = try BulkInsert(
            database,
            """
            INSERT OR REPLACE INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed,
                created_at, deleted_at, link_count, target, device, in_main, in_backup, main_modified, version,
                version_number, deleted_parent, deleted_name)
            """, row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?)")
        names = try BulkInsert(
            database, "INSERT INTO name (parent, name, resource)", row: "(?, ?, ?)",
            conflict: "ON CONFLICT (parent, name) DO UPDATE SET resource = excluded.resource")
        xattrs = try BulkInsert(
            database, "INSERT INTO xattr (resource, name, value)", row: "(?, ?, ?)",
            conflict: "ON CONFLICT (resource, name) DO UPDATE SET value = excluded.value")
        versions = try BulkInsert(
            database, "INSERT INTO version (id, resource, key, size, sha256, state, created_at, epoch, change)",
            row: "(?, ?, ?, ?, ?, 'stored', ?, ?, ?)",
            conflict: """
                ON CONFLICT (id) DO UPDATE SET resource = excluded.resource, key = excluded.key, size = excluded.size,
                    sha256 = excluded.sha256, state = 'stored', kept_until = NULL, due = NULL
                ON CONFLICT (key) DO NOTHING
                """)
    }

    /// The count of its links is that of what has one name; what has others is counted when all names are there.
    func add(_ state: JournalRecord.ResourceRecord) throws {
        try resources.add { row in
            let deletion = state.deletion
            row.add(state.id)
            row.add(text: state.kind.rawValue)
            row.add(text: state.status.rawValue)
            row.add(Int64(state.mode))
            row.add(Int64(state.uid))
            row.add(Int64(state.gid))
            row.add(state.size)
            row.add(state.accessed)
            row.add(state.modified)
            row.add(state.changed)
            row.add(state.createdAt)
            row.add(deletion?.time)
            row.add(state.status == .deleted ? 0 : state.kind == .directory ? 2 : 1)
            row.add(blob: state.target)
            row.add(Int64(bitPattern: state.device))
            row.add(state.content == nil ? 0 : 1)
            row.add(text: state.content?.id)
            row.add(state.versionNumber)
            row.add(deletion?.dentry?.parent.rawValue)
            row.add(blob: deletion?.dentry?.name)
        }
    }

    func add(name: [UInt8], in parent: Int64, of resource: Int64) throws {
        try names.add { row in
            row.add(parent)
            row.add(blob: name)
            row.add(resource)
        }
    }

    func add(xattr name: [UInt8], _ value: [UInt8], of resource: Int64) throws {
        try xattrs.add { row in
            row.add(resource)
            row.add(blob: name)
            row.add(blob: value)
        }
    }

    func add(_ content: JournalRecord.Content, of resource: Int64, createdAt: Nanoseconds) throws {
        try versions.add { row in
            row.add(text: content.id)
            row.add(resource)
            row.add(text: content.key)
            row.add(content.size)
            row.add(blob: content.sha256)
            row.add(createdAt)
            row.add(content.point?.epoch)
            row.add(content.point?.change)
        }
    }

    /// Inserts all rows that wait.
    func flush() throws { for rows in [resources, names, xattrs, versions] { try rows.flush() } }
}
