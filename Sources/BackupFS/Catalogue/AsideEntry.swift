// What was moved out of the way in main. Each has a row, made before it is moved, so that nothing is moved and forgotten:
// the row says where it was, why it went, and whose copy it was, and it can be brought back.

import Foundation
import GRDB

/// Something that lies in `.backupfs/aside/ID/` under the path it had in main.
package struct AsideEntry: Sendable, Equatable {
    /// Why it was moved.
    package enum Reason: String, Sendable, CaseIterable {
        /// The catalogue does not know it, and its name was needed.
        case unknown
        /// A main copy whose content is not what was backed up.
        case damaged
        /// Content that no close has acknowledged, and that a power cut may have torn.
        case unacknowledged
        /// Main failed to write what programs had written to it.
        case notWritten
    }

    /// Its number, and the name of its directory in `.backupfs/aside`.
    package var id: Int64
    /// The file whose copy it was; nil for what the catalogue does not know.
    package var resource: ResourceID?
    /// The names from main's root down to it.
    package var path: [[UInt8]]
    package var reason: Reason
    package var since: Nanoseconds
    /// Where it is being brought back to; nil as long as nobody has asked for that.
    package var target: (parent: ResourceID, name: [UInt8])?

    package static func == (one: AsideEntry, other: AsideEntry) -> Bool { one.id == other.id }
}

extension AsideEntry {
    fileprivate init(row: Row) {
        id = row["id"]
        resource = (row["resource"] as Int64?).map(ResourceID.init)
        path = bytes(row["path"]).split(separator: UInt8(ascii: "/")).map(Array.init)
        reason = Reason(rawValue: row["reason"]) ?? .unknown
        since = row["since"]
        if let parent = row["target_parent"] as Int64?, let name = row["target_name"] as Data? {
            target = (ResourceID(parent), bytes(name))
        }
    }
}

extension CatalogueReader {
    /// Up to `limit` of what was set aside, in the order in which that happened, after the number `id`.
    package func setAside(after id: Int64, limit: Int) throws(CatalogueError) -> [AsideEntry] {
        try rows("SELECT * FROM aside WHERE id > ? ORDER BY id LIMIT ?", [id, limit]).map(AsideEntry.init(row:))
    }

    /// One of what was set aside; nil if there is none with this number.
    package func setAside(_ id: Int64) throws(CatalogueError) -> AsideEntry? {
        try row("SELECT * FROM aside WHERE id = ?", [id]).map(AsideEntry.init(row:))
    }

    /// What was under way when the last daemon ended: on its way aside, or back.
    package func unsettledAside() throws(CatalogueError) -> [AsideEntry] {
        try rows("SELECT * FROM aside WHERE settled = 0 ORDER BY id", []).map(AsideEntry.init(row:))
    }

    /// How many things are set aside.
    package func asideCount() throws(CatalogueError) -> Int { try count("SELECT count(*) FROM aside") }
}

extension CatalogueWriter {
    /// Notes that something is about to be set aside; returns its number.
    package func addAside(
        _ path: [[UInt8]], _ reason: AsideEntry.Reason, of resource: ResourceID?, now: Nanoseconds
    ) throws(CatalogueError) -> Int64 {
        try run(
            "INSERT INTO aside (path, reason, resource, since) VALUES (?, ?, ?, ?)",
            [Data(path.joined(separator: [UInt8(ascii: "/")])), reason.rawValue, resource?.rawValue, now])
        return database.lastInsertedRowID
    }

    /// It lies where its row says.
    package func settleAside(_ id: Int64) throws(CatalogueError) {
        try run(
            "UPDATE aside SET settled = 1, target_parent = NULL, target_name = NULL WHERE id = ? AND settled = 0", [id])
    }

    /// It is about to be brought back under a name that nothing has.
    package func beginRestore(_ id: Int64, parent: ResourceID, name: [UInt8]) throws(CatalogueError) {
        try run(
            "UPDATE aside SET settled = 0, target_parent = ?, target_name = ? WHERE id = ?",
            [parent.rawValue, Data(name), id])
    }

    /// It is not there any more: never moved, brought back, or discarded.
    package func forgetAside(_ id: Int64) throws(CatalogueError) { try run("DELETE FROM aside WHERE id = ?", [id]) }
}
