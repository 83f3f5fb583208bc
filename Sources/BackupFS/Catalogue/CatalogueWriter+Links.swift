// Second names of a resource (hard links), and two names that change places.

import Foundation
import GRDB

extension CatalogueWriter {
    /// Gives a resource another name.
    ///
    /// Returns the intent that main storage has to follow. Throws `.nameTaken`, `.noSuchResource`, `.notDirectory` (the
    /// parent) or `.isDirectory` (directories have one name).
    package func link(
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

    /// Takes back a link that main storage could not follow.
    package func undoLink(
        _ id: ResourceID, parent: ResourceID, name: [UInt8], intent: Int64, now: Nanoseconds
    ) throws(CatalogueError) {
        try run("DELETE FROM name WHERE parent = ? AND name = ?", [parent.rawValue, Data(name)])
        try changeLinkCount(id, by: -1, now: now)
        try touchDirectory(parent, linkChange: 0, now: now)
        try finishNameIntent(intent)
    }

    /// Remembers that main storage has to follow a change of one name of a living resource.
    package func addNameIntent(_ id: ResourceID, parent: ResourceID, name: [UInt8]) throws(CatalogueError) -> Int64 {
        try run(
            "INSERT INTO name_intent (resource, parent, name) VALUES (?, ?, ?)",
            [id.rawValue, parent.rawValue, Data(name)])
        return database.lastInsertedRowID
    }

    /// Main storage has followed the change of a name, and need not do so again unless the power is cut.
    package func markNameFollowed(_ intent: Int64) throws(CatalogueError) {
        try run("UPDATE name_intent SET followed = 1 WHERE id = ?", [intent])
    }

    /// Main storage has followed the change of a name.
    package func finishNameIntent(_ intent: Int64) throws(CatalogueError) {
        try run("DELETE FROM name_intent WHERE id = ?", [intent])
    }

    /// Lets two names change places (RENAME_EXCHANGE); returns the intent that main storage has to follow.
    ///
    /// `sourceInode` is the inode number that main has under the first name, 0 if it has nothing there: it tells a later
    /// start whether main has followed. Returns nil if both names are one resource.
    package func exchange(
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

    /// Takes back an exchange that main storage could not follow.
    package func undoExchange(
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
