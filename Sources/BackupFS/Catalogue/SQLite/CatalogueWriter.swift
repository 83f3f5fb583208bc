import Foundation
import GRDB

/// Changes to the catalogue inside one transaction; also answers questions about its state so far.
struct CatalogueWriter: CatalogueTransaction {
    let database: Database
    /// What is told of changed extended attributes; rows and names tell of themselves (DatabaseChanges).
    var memory: CatalogueMemory?

    init(database: Database, memory: CatalogueMemory? = nil) {
        self.database = database
        self.memory = memory
    }

    var reader: CatalogueReader { CatalogueReader(database: database) }

    func run(_ sql: String, _ arguments: StatementArguments) throws(CatalogueError) {
        try SQLiteCatalogue.translating {
            try database.cachedStatement(sql: sql).execute(arguments: arguments)
        }
    }

    func live(_ id: ResourceID) throws(CatalogueError) -> Resource {
        guard let resource = try reader.resource(id), resource.status != .deleted else { throw .noSuchResource }
        return resource
    }

    func set(_ key: String, to value: String) throws(CatalogueError) {
        try run(
            "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [key, value])
    }

    func unset(_ key: String) throws(CatalogueError) { try run("DELETE FROM setting WHERE key = ?", [key]) }

    func updateAttributes(_ changed: Resource) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET mode = ?, uid = ?, gid = ?, size = ?, accessed = ?, modified = ?, changed = ?,
                main_modified = ? WHERE id = ?
            """,
            [
                changed.mode, changed.uid, changed.gid, changed.size, changed.accessed, changed.modified,
                changed.changed, changed.mainModified, changed.id.rawValue,
            ])
    }

    func setXattr(_ id: ResourceID, _ name: XattrName, _ value: [UInt8], now: Nanoseconds) throws(CatalogueError) {
        _ = try live(id)
        memory?.touchesXattrs(of: id)
        try run(
            """
            INSERT INTO xattr (resource, name, value) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET value = excluded.value
            """, [id.rawValue, Data(name.bytes), Data(value)])
        try run("UPDATE resource SET changed = ? WHERE id = ?", [now, id.rawValue])
    }

    func removeXattr(_ id: ResourceID, _ name: XattrName, now: Nanoseconds) throws(CatalogueError) -> Bool {
        memory?.touchesXattrs(of: id)
        try run("DELETE FROM xattr WHERE resource = ? AND name = ?", [id.rawValue, Data(name.bytes)])
        guard database.changesCount > 0 else { return false }
        try run("UPDATE resource SET changed = ? WHERE id = ?", [now, id.rawValue])
        return true
    }
}
