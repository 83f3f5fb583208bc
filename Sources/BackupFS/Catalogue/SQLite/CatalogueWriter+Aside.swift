import Foundation
import GRDB

extension AsideEntry {
    fileprivate init(row: Row) {
        id = row["id"]
        resource = (row["resource"] as Int64?).map(ResourceID.init)
        path = bytes(row["path"]).split(separator: UInt8(ascii: "/")).map(Array.init)
        reason = Reason(rawValue: row["reason"]) ?? .unknown
        since = row["since"]
        if let parent = row["target_parent"] as Int64?, let name = row["target_name"] as Data? {
            target = Dentry(ResourceID(parent), bytes(name))
        }
    }
}

extension CatalogueReader {
    func setAside(after id: Int64, limit: Int) throws(CatalogueError) -> [AsideEntry] {
        try rows("SELECT * FROM aside WHERE id > ? ORDER BY id LIMIT ?", [id, limit]).map(AsideEntry.init(row:))
    }

    func setAside(_ id: Int64) throws(CatalogueError) -> AsideEntry? {
        try row("SELECT * FROM aside WHERE id = ?", [id]).map(AsideEntry.init(row:))
    }

    func unsettledAside() throws(CatalogueError) -> [AsideEntry] {
        try rows("SELECT * FROM aside WHERE settled = 0 ORDER BY id", []).map(AsideEntry.init(row:))
    }

    func asideCount() throws(CatalogueError) -> Int { try count("SELECT count(*) FROM aside") }
}

extension CatalogueWriter {
    func addAside(
        _ path: [[UInt8]], _ reason: AsideEntry.Reason, of resource: ResourceID?, now: Nanoseconds
    ) throws(CatalogueError) -> Int64 {
        try run(
            "INSERT INTO aside (path, reason, resource, since) VALUES (?, ?, ?, ?)",
            [Data(path.joined(separator: [UInt8(ascii: "/")])), reason.rawValue, resource?.rawValue, now])
        return database.lastInsertedRowID
    }

    func settleAside(_ id: Int64) throws(CatalogueError) {
        try run(
            "UPDATE aside SET settled = 1, target_parent = NULL, target_name = NULL WHERE id = ? AND settled = 0", [id])
    }

    func beginRestore(_ id: Int64, _ dentry: Dentry) throws(CatalogueError) {
        try run(
            "UPDATE aside SET settled = 0, target_parent = ?, target_name = ? WHERE id = ?",
            [dentry.parent.rawValue, Data(dentry.name), id])
    }

    func forgetAside(_ id: Int64) throws(CatalogueError) { try run("DELETE FROM aside WHERE id = ?", [id]) }
}
