import Foundation
import GRDB

/// Questions to one consistent snapshot of the catalogue.
struct CatalogueReader: CatalogueQuestions {
    let database: Database
    /// Where what was read is kept, and the generation it has; nil inside a transaction, whose outcome is open.
    var memory: (CatalogueMemory, generation: UInt64)?

    init(database: Database, memory: (CatalogueMemory, generation: UInt64)? = nil) {
        self.database = database
        self.memory = memory
    }

    private static let resourceByID = "SELECT \(Resource.columns) FROM resource WHERE id = ?"
    private static let resourceByName = """
        SELECT \(Resource.columns), name.cookie FROM name JOIN resource ON resource.id = name.resource
        WHERE name.parent = ? AND name = ?
        """

    func resource(_ id: ResourceID) throws(CatalogueError) -> Resource? {
        guard let found = try row(Self.resourceByID, [id.rawValue]) else { return nil }
        let resource = Resource(row: found)
        if let memory { memory.0.keep(resource, at: memory.generation) }
        return resource
    }

    func lookup(_ dentry: Dentry) throws(CatalogueError) -> Resource? {
        guard let found = try row(Self.resourceByName, [dentry.parent.rawValue, Data(dentry.name)]) else { return nil }
        let resource = Resource(row: found)
        if let memory {
            memory.0.keep(resource, at: memory.generation)
            memory.0.keep(
                dentry, of: resource.id, cookie: found[Resource.columnCount],
                isFirst: resource.linkCount == 1 || resource.kind == .directory,
                at: memory.generation)
        }
        return resource
    }

    func list(
        _ directory: ResourceID, after cookie: Int64, limit: Int
    ) throws(CatalogueError) -> [DirectoryEntry] {
        try rows(
            """
            SELECT \(Resource.columns), name.cookie, name.name AS entry_name FROM name
            JOIN resource ON resource.id = name.resource
            WHERE name.parent = ? AND name.cookie > ? ORDER BY name.cookie LIMIT ?
            """, [directory.rawValue, cookie, limit]
        ).map { DirectoryEntry(cookie: $0["cookie"], name: bytes($0["entry_name"]), resource: Resource(row: $0)) }
    }

    func location(of id: ResourceID) throws(CatalogueError) -> Dentry? {
        let found = try row(
            "SELECT parent, name, cookie FROM name WHERE resource = ? ORDER BY cookie LIMIT 1", [id.rawValue])
        guard let found else { return nil }
        let dentry = Dentry(ResourceID(found[0]), bytes(found[1]))
        if let memory { memory.0.keep(dentry, of: id, cookie: found[2], isFirst: true, at: memory.generation) }
        return dentry
    }

    func locations(of id: ResourceID) throws(CatalogueError) -> [Dentry] {
        try rows("SELECT parent, name FROM name WHERE resource = ? ORDER BY cookie", [id.rawValue])
            .map { Dentry(ResourceID($0["parent"]), bytes($0["name"])) }
    }

    func path(of id: ResourceID) throws(CatalogueError) -> [[UInt8]]? {
        var path: [[UInt8]] = []
        var current = id
        while current != .root {
            guard let step = try location(of: current), path.count < 4096 else { return nil }
            path.append(step.name)
            current = step.parent
        }
        return path.reversed()
    }

    func resource(atPath path: [[UInt8]]) throws(CatalogueError) -> Resource? {
        var current = try resource(.root)
        for (index, name) in path.enumerated() {
            guard let parent = current?.id else { return nil }
            current = try lookup(Dentry(parent, name))
            if current == nil, index == path.count - 1 {
                current = try row(
                    """
                    SELECT \(Resource.columns) FROM resource WHERE status = 'deleted' AND deleted_parent = ? AND deleted_name = ?
                    ORDER BY deleted_at DESC, id DESC LIMIT 1
                    """, [parent.rawValue, Data(name)]
                ).map(Resource.init(row:))
            }
        }
        return current
    }

    func deletedLocation(of id: ResourceID) throws(CatalogueError) -> Dentry? {
        let found = try row(
            "SELECT deleted_parent, deleted_name FROM resource WHERE id = ? AND deleted_name IS NOT NULL", [id.rawValue]
        )
        return found.map { Dentry(ResourceID($0["deleted_parent"]), bytes($0["deleted_name"])) }
    }

    func lastPath(of id: ResourceID) throws(CatalogueError) -> [[UInt8]] {
        var path: [[UInt8]] = []
        var current = id
        while current != .root, path.count < 4096 {
            var step = try location(of: current)
            if step == nil { step = try deletedLocation(of: current) }
            guard let step else { break }
            path.append(step.name)
            current = step.parent
        }
        return path.reversed()
    }

    func setting(_ key: String) throws(CatalogueError) -> String? {
        try row("SELECT value FROM setting WHERE key = ?", [key]).map { $0["value"] }
    }

    func xattrNames(_ id: ResourceID) throws(CatalogueError) -> [XattrName] {
        try rows("SELECT name FROM xattr WHERE resource = ? ORDER BY name", [id.rawValue]).map {
            XattrName(bytes($0["name"]))
        }
    }

    func xattr(_ id: ResourceID, _ name: XattrName) throws(CatalogueError) -> [UInt8]? {
        if let found = try row(
            "SELECT value FROM xattr WHERE resource = ? AND name = ?", [id.rawValue, Data(name.bytes)])
        {
            return bytes(found[0])
        }
        if let memory, try row("SELECT 1 FROM xattr WHERE resource = ? LIMIT 1", [id.rawValue]) == nil {
            memory.0.keepBare(id, at: memory.generation)
        }
        return nil
    }

    func version(_ id: VersionID) throws(CatalogueError) -> Version? {
        try row("SELECT * FROM version WHERE id = ?", [id.description]).map(Version.init(row:))
    }

    // The statements are prepared once a connection and kept.

    func row(_ sql: String, _ arguments: StatementArguments) throws(CatalogueError) -> Row? {
        try SQLiteCatalogue.translating {
            try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
        }
    }

    func rows(_ sql: String, _ arguments: StatementArguments) throws(CatalogueError) -> [Row] {
        try SQLiteCatalogue.translating {
            try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
        }
    }

    func count(_ sql: String, _ arguments: StatementArguments = []) throws(CatalogueError) -> Int {
        try row(sql, arguments).map { $0[0] } ?? 0
    }
}

/// The bytes of a BLOB column.
func bytes(_ data: Data) -> [UInt8] { [UInt8](data) }

extension Resource {
    /// The columns that `init(row:)` reads, first and in this order: looking them up by name costs more than the query.
    static let columns = """
        resource.id, resource.kind, resource.status, resource.mode, resource.uid, resource.gid, resource.size,
        resource.accessed, resource.modified, resource.changed, resource.created_at, resource.deleted_at,
        resource.link_count, resource.target, resource.device, resource.in_main, resource.in_backup,
        resource.needs_upload, resource.main_inode, resource.main_modified, resource.version, resource.last_error
        """
    /// How many these are: what a query asks for besides comes behind them.
    static let columnCount = 22

    init(row: Row) {
        id = ResourceID(row[0])
        kind = Kind(rawValue: row[1]) ?? .file
        status = Status(rawValue: row[2]) ?? .deleted
        mode = UInt32(truncatingIfNeeded: row[3] as Int64)
        uid = UInt32(truncatingIfNeeded: row[4] as Int64)
        gid = UInt32(truncatingIfNeeded: row[5] as Int64)
        size = row[6]
        accessed = row[7]
        modified = row[8]
        changed = row[9]
        createdAt = row[10]
        deletedAt = row[11]
        linkCount = UInt32(truncatingIfNeeded: row[12] as Int64)
        target = (row[13] as Data?).map(bytes)
        device = UInt64(bitPattern: row[14] as Int64)
        inMain = row[15]
        inBackup = row[16]
        needsUpload = row[17]
        mainInode = UInt64(bitPattern: row[18] as Int64)
        mainModified = row[19]
        version = (row[20] as String?).map(VersionID.init)
        lastError = row[21]
    }
}

extension Version {
    init(row: Row) {
        id = VersionID(row["id"])
        resource = ResourceID(row["resource"])
        key = row["key"]
        size = row["size"]
        sha256 = bytes(row["sha256"])
        state = State(rawValue: row["state"]) ?? .removing
        if let epoch = row["epoch"] as Int64?, let change = row["change"] as Int64? {
            point = ChangePoint(epoch: epoch, change: change)
        }
    }
}
