import Foundation
import GRDB

/// Questions to one consistent snapshot of the catalogue.
package struct CatalogueReader {
    let database: Database

    /// One name in a directory.
    package struct DirectoryEntry: Sendable {
        /// The position after this entry; listing goes on from it.
        package var cookie: Int64
        package var name: [UInt8]
        package var resource: Resource
    }

    /// The row, deleted or not; nil if there never was one.
    package func resource(_ id: ResourceID) throws(CatalogueError) -> Resource? {
        try row("SELECT * FROM resource WHERE id = ?", [id.rawValue]).map(Resource.init(row:))
    }

    /// The live resource of a name; nil if there is none.
    package func lookup(parent: ResourceID, name: [UInt8]) throws(CatalogueError) -> Resource? {
        try row(
            "SELECT resource.* FROM name JOIN resource ON resource.id = name.resource WHERE name.parent = ? AND name = ?",
            [parent.rawValue, Data(name)]
        ).map(Resource.init(row:))
    }

    /// Up to `limit` entries of a directory after `cookie`, in the order of their creation.
    package func list(
        _ directory: ResourceID, after cookie: Int64, limit: Int
    ) throws(CatalogueError) -> [DirectoryEntry] {
        try rows(
            """
            SELECT name.cookie, name.name AS entry_name, resource.* FROM name
            JOIN resource ON resource.id = name.resource
            WHERE name.parent = ? AND name.cookie > ? ORDER BY name.cookie LIMIT ?
            """, [directory.rawValue, cookie, limit]
        ).map { DirectoryEntry(cookie: $0["cookie"], name: bytes($0["entry_name"]), resource: Resource(row: $0)) }
    }

    /// The directory that holds the resource's (first) name, and that name; nil for the root and for what has no name.
    package func location(of id: ResourceID) throws(CatalogueError) -> (parent: ResourceID, name: [UInt8])? {
        try row("SELECT parent, name FROM name WHERE resource = ? ORDER BY cookie LIMIT 1", [id.rawValue])
            .map { (ResourceID($0["parent"]), bytes($0["name"])) }
    }

    /// All directories and names that a resource is in, the oldest first.
    package func locations(of id: ResourceID) throws(CatalogueError) -> [(parent: ResourceID, name: [UInt8])] {
        try rows("SELECT parent, name FROM name WHERE resource = ? ORDER BY cookie", [id.rawValue])
            .map { (ResourceID($0["parent"]), bytes($0["name"])) }
    }

    /// The names from the root down to a live resource; nil if it has no name (any more).
    ///
    /// The root's path is empty.
    package func path(of id: ResourceID) throws(CatalogueError) -> [[UInt8]]? {
        var path: [[UInt8]] = []
        var current = id
        while current != .root {
            guard let step = try location(of: current), path.count < 4096 else { return nil }
            path.append(step.name)
            current = step.parent
        }
        return path.reversed()
    }

    /// The resource at a path below the root.
    ///
    /// If no live one is there, the one deleted last under that name.
    package func resource(atPath path: [[UInt8]]) throws(CatalogueError) -> Resource? {
        var current = try resource(.root)
        for (index, name) in path.enumerated() {
            guard let parent = current?.id else { return nil }
            current = try lookup(parent: parent, name: name)
            if current == nil, index == path.count - 1 {
                current = try row(
                    """
                    SELECT * FROM resource WHERE status = 'deleted' AND deleted_parent = ? AND deleted_name = ?
                    ORDER BY deleted_at DESC, id DESC LIMIT 1
                    """, [parent.rawValue, Data(name)]
                ).map(Resource.init(row:))
            }
        }
        return current
    }

    /// Where a deleted resource last was: its directory and name there.
    package func deletedLocation(of id: ResourceID) throws(CatalogueError) -> (parent: ResourceID, name: [UInt8])? {
        let found = try row(
            "SELECT deleted_parent, deleted_name FROM resource WHERE id = ? AND deleted_name IS NOT NULL", [id.rawValue]
        )
        return found.map { (ResourceID($0["deleted_parent"]), bytes($0["deleted_name"])) }
    }

    /// The names from the root down to a resource; where it has been deleted, those it had last.
    package func lastPath(of id: ResourceID) throws(CatalogueError) -> [[UInt8]] {
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

    /// A setting of this catalogue; nil if it was never set.
    package func setting(_ key: String) throws(CatalogueError) -> String? {
        try row("SELECT value FROM setting WHERE key = ?", [key]).map { $0["value"] }
    }

    /// The names of a resource's extended attributes.
    package func xattrNames(_ id: ResourceID) throws(CatalogueError) -> [String] {
        try rows("SELECT name FROM xattr WHERE resource = ? ORDER BY name", [id.rawValue]).map { $0["name"] }
    }

    /// The value of an extended attribute; nil if it is not set.
    package func xattr(_ id: ResourceID, _ name: String) throws(CatalogueError) -> [UInt8]? {
        try row("SELECT value FROM xattr WHERE resource = ? AND name = ?", [id.rawValue, name])
            .map { bytes($0["value"]) }
    }

    /// The version row with this number.
    package func version(_ id: VersionID) throws(CatalogueError) -> Version? {
        try row("SELECT * FROM version WHERE id = ?", [id.description]).map(Version.init(row:))
    }

    // The statements are prepared once a connection and kept.

    func row(_ sql: String, _ arguments: StatementArguments) throws(CatalogueError) -> Row? {
        try ResourceCatalogue.translating {
            try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
        }
    }

    func rows(_ sql: String, _ arguments: StatementArguments) throws(CatalogueError) -> [Row] {
        try ResourceCatalogue.translating {
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
    init(row: Row) {
        id = ResourceID(row["id"])
        kind = Kind(rawValue: row["kind"]) ?? .file
        status = Status(rawValue: row["status"]) ?? .deleted
        mode = UInt32(row["mode"] as Int64)
        uid = UInt32(truncatingIfNeeded: row["uid"] as Int64)
        gid = UInt32(truncatingIfNeeded: row["gid"] as Int64)
        size = row["size"]
        accessed = row["accessed"]
        modified = row["modified"]
        changed = row["changed"]
        createdAt = row["created_at"]
        deletedAt = row["deleted_at"]
        linkCount = UInt32(row["link_count"] as Int64)
        target = (row["target"] as Data?).map(bytes)
        device = UInt64(bitPattern: row["device"] as Int64)
        inMain = row["in_main"]
        inBackup = row["in_backup"]
        needsUpload = row["needs_upload"]
        mainInode = UInt64(bitPattern: row["main_inode"] as Int64)
        mainModified = row["main_modified"]
        version = (row["version"] as String?).map(VersionID.init)
        lastError = row["last_error"]
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
    }
}
