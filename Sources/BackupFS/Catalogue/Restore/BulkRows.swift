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
        let deletion = state.deletion
        resources.add(state.id)
        resources.add(text: state.kind.rawValue)
        resources.add(text: state.status.rawValue)
        for value in [UInt32](arrayLiteral: state.mode, state.uid, state.gid) { resources.add(Int64(value)) }
        for value in [state.size, state.accessed, state.modified, state.changed, state.createdAt] {
            resources.add(value)
        }
        resources.add(deletion?.time)
        resources.add(state.status == .deleted ? 0 : state.kind == .directory ? 2 : 1)
        resources.add(blob: state.target)
        resources.add(Int64(bitPattern: state.device))
        resources.add(state.content == nil ? 0 : 1)
        resources.add(text: state.content?.id)
        resources.add(state.versionNumber)
        resources.add(deletion?.dentry?.parent.rawValue)
        resources.add(blob: deletion?.dentry?.name)
        try resources.endRow()
    }

    func add(name: [UInt8], in parent: Int64, of resource: Int64) throws {
        names.add(parent)
        names.add(blob: name)
        names.add(resource)
        try names.endRow()
    }

    func add(xattr name: [UInt8], _ value: [UInt8], of resource: Int64) throws {
        xattrs.add(resource)
        xattrs.add(blob: name)
        xattrs.add(blob: value)
        try xattrs.endRow()
    }

    func add(_ content: JournalRecord.Content, of resource: Int64, createdAt: Nanoseconds) throws {
        versions.add(text: content.id)
        versions.add(resource)
        versions.add(text: content.key)
        versions.add(content.size)
        versions.add(blob: content.sha256)
        versions.add(createdAt)
        versions.add(content.point?.epoch)
        versions.add(content.point?.change)
        try versions.endRow()
    }

    /// Inserts all rows that wait.
    func flush() throws { for rows in [resources, names, xattrs, versions] { try rows.flush() } }
}
