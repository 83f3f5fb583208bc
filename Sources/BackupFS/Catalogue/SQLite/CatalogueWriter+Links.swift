// Second names of a resource (hard links), and two names that change places.

import Foundation
import GRDB

extension CatalogueWriter {
    func link(
        _ id: ResourceID, _ dentry: Dentry, now: Nanoseconds
    ) throws(CatalogueError) -> Int64 {
        guard try live(id).kind != .directory else { throw .isDirectory }
        guard try live(dentry.parent).kind == .directory else { throw .notDirectory }
        guard try reader.lookup(dentry) == nil else { throw .nameTaken }
        try run(
            "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)",
            [dentry.parent.rawValue, Data(dentry.name), id.rawValue])
        try changeLinkCount(id, by: 1, now: now)
        try touchDirectory(dentry.parent, linkChange: 0, now: now)
        return try addNameIntent(id, dentry)
    }

    func undoLink(
        _ id: ResourceID, _ dentry: Dentry, intent: Int64, now: Nanoseconds
    ) throws(CatalogueError) {
        try run("DELETE FROM name WHERE parent = ? AND name = ?", [dentry.parent.rawValue, Data(dentry.name)])
        try changeLinkCount(id, by: -1, now: now)
        try touchDirectory(dentry.parent, linkChange: 0, now: now)
        try finishNameIntent(intent)
    }

    func addNameIntent(_ id: ResourceID, _ dentry: Dentry) throws(CatalogueError) -> Int64 {
        try run(
            "INSERT INTO name_intent (resource, parent, name) VALUES (?, ?, ?)",
            [id.rawValue, dentry.parent.rawValue, Data(dentry.name)])
        return database.lastInsertedRowID
    }

    func markNameFollowed(_ intent: Int64) throws(CatalogueError) {
        try run("UPDATE name_intent SET followed = 1 WHERE id = ?", [intent])
    }

    func finishNameIntent(_ intent: Int64) throws(CatalogueError) {
        try run("DELETE FROM name_intent WHERE id = ?", [intent])
    }

    func exchange(
        _ first: Dentry, _ second: Dentry, sourceInode: UInt64, now: Nanoseconds
    ) throws(CatalogueError) -> Int64? {
        let (one, other) = try resources(first, second)
        if one.id == other.id { return nil }
        if one.kind == .directory { try refuseLoop(moving: one.id, into: second.parent) }
        if other.kind == .directory { try refuseLoop(moving: other.id, into: first.parent) }
        try swap(one, first, other, second, now: now)
        try run(
            """
            INSERT INTO rename_intent (resource, source_parent, source_name, target_parent, target_name, exchanged,
                source_inode) VALUES (?, ?, ?, ?, ?, 1, ?)
            """,
            [
                one.id.rawValue, first.parent.rawValue, Data(first.name), second.parent.rawValue, Data(second.name),
                Int64(bitPattern: sourceInode),
            ])
        return database.lastInsertedRowID
    }

    func undoExchange(
        _ first: Dentry, _ second: Dentry, intent: Int64, now: Nanoseconds
    ) throws(CatalogueError) {
        let (one, other) = try resources(first, second)
        try swap(one, first, other, second, now: now)
        try finishRename(intent)
    }

    private func resources(_ first: Dentry, _ second: Dentry) throws(CatalogueError) -> (Resource, Resource) {
        guard let one = try reader.lookup(first), let other = try reader.lookup(second) else { throw .noSuchResource }
        return (one, other)
    }

    /// Gives each of two resources the name of the other.
    private func swap(
        _ one: Resource, _ first: Dentry, _ other: Resource, _ second: Dentry, now: Nanoseconds
    ) throws(CatalogueError) {
        let assign = "UPDATE name SET resource = ? WHERE parent = ? AND name = ?"
        try run(assign, [other.id.rawValue, first.parent.rawValue, Data(first.name)])
        try run(assign, [one.id.rawValue, second.parent.rawValue, Data(second.name)])
        let gained = (other.kind == .directory ? 1 : 0) - (one.kind == .directory ? 1 : 0)
        try touchDirectory(first.parent, linkChange: gained, now: now)
        try touchDirectory(second.parent, linkChange: -gained, now: now)
        for id in [one.id, other.id] {
            try run("UPDATE resource SET changed = ? WHERE id = ?", [now, id.rawValue])
        }
    }
}
