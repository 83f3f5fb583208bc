// Second names of a resource (hard links), and two names that change places.

import Foundation
import GRDB

extension CatalogueWriter {
    func link(
        _ id: ResourceID, parent: ResourceID, name: [UInt8], now: Nanoseconds
    ) throws(CatalogueError) -> Int64 {
        guard try live(id).kind != .directory else { throw .isDirectory }
        guard try live(parent).kind == .directory else { throw .notDirectory }
        guard try reader.lookup(parent: parent, name: name) == nil else { throw .nameTaken }
        try run(
            "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)", [parent.rawValue, Data(name), id.rawValue])
        try changeLinkCount(id, by: 1, now: now)
        try touchDirectory(parent, linkChange: 0, now: now)
        return try addNameIntent(id, parent: parent, name: name)
    }

    func undoLink(
        _ id: ResourceID, parent: ResourceID, name: [UInt8], intent: Int64, now: Nanoseconds
    ) throws(CatalogueError) {
        try run("DELETE FROM name WHERE parent = ? AND name = ?", [parent.rawValue, Data(name)])
        try changeLinkCount(id, by: -1, now: now)
        try touchDirectory(parent, linkChange: 0, now: now)
        try finishNameIntent(intent)
    }

    func addNameIntent(_ id: ResourceID, parent: ResourceID, name: [UInt8]) throws(CatalogueError) -> Int64 {
        try run(
            "INSERT INTO name_intent (resource, parent, name) VALUES (?, ?, ?)",
            [id.rawValue, parent.rawValue, Data(name)])
        return database.lastInsertedRowID
    }

    func markNameFollowed(_ intent: Int64) throws(CatalogueError) {
        try run("UPDATE name_intent SET followed = 1 WHERE id = ?", [intent])
    }

    func finishNameIntent(_ intent: Int64) throws(CatalogueError) {
        try run("DELETE FROM name_intent WHERE id = ?", [intent])
    }

    func exchange(
        _ firstParent: ResourceID, _ firstName: [UInt8], _ secondParent: ResourceID, _ secondName: [UInt8],
        sourceInode: UInt64, now: Nanoseconds
    ) throws(CatalogueError) -> Int64? {
        guard let first = try reader.lookup(parent: firstParent, name: firstName),
            let second = try reader.lookup(parent: secondParent, name: secondName)
        else { throw .noSuchResource }
        if first.id == second.id { return nil }
        if first.kind == .directory { try refuseLoop(moving: first.id, into: secondParent) }
        if second.kind == .directory { try refuseLoop(moving: second.id, into: firstParent) }
        try swapNames(first, firstParent, firstName, second, secondParent, secondName, now: now)
        try run(
            """
            INSERT INTO rename_intent (resource, source_parent, source_name, target_parent, target_name, exchanged,
                source_inode) VALUES (?, ?, ?, ?, ?, 1, ?)
            """,
            [
                first.id.rawValue, firstParent.rawValue, Data(firstName), secondParent.rawValue, Data(secondName),
                Int64(bitPattern: sourceInode),
            ])
        return database.lastInsertedRowID
    }

    func undoExchange(
        _ firstParent: ResourceID, _ firstName: [UInt8], _ secondParent: ResourceID, _ secondName: [UInt8],
        intent: Int64, now: Nanoseconds
    ) throws(CatalogueError) {
        guard let first = try reader.lookup(parent: firstParent, name: firstName),
            let second = try reader.lookup(parent: secondParent, name: secondName)
        else { throw .noSuchResource }
        try swapNames(first, firstParent, firstName, second, secondParent, secondName, now: now)
        try finishRename(intent)
    }

    private func swapNames(
        _ first: Resource, _ firstParent: ResourceID, _ firstName: [UInt8], _ second: Resource,
        _ secondParent: ResourceID, _ secondName: [UInt8], now: Nanoseconds
    ) throws(CatalogueError) {
        let assign = "UPDATE name SET resource = ? WHERE parent = ? AND name = ?"
        try run(assign, [second.id.rawValue, firstParent.rawValue, Data(firstName)])
        try run(assign, [first.id.rawValue, secondParent.rawValue, Data(secondName)])
        let gained = (second.kind == .directory ? 1 : 0) - (first.kind == .directory ? 1 : 0)
        try touchDirectory(firstParent, linkChange: gained, now: now)
        try touchDirectory(secondParent, linkChange: -gained, now: now)
        for id in [first.id, second.id] {
            try run("UPDATE resource SET changed = ? WHERE id = ?", [now, id.rawValue])
        }
    }
}
