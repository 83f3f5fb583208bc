import Foundation
import GRDB

/// What is known of a file, directory or link that main held before it had a row.
package struct AdoptedAttributes: Sendable {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: Int64
    var accessed: Nanoseconds
    var modified: Nanoseconds
    package let changed: Nanoseconds
    var target: [UInt8]?
    var device: UInt64
    /// The inode number in main.
    package let inode: UInt64

    package init(
        mode: UInt32, uid: UInt32, gid: UInt32, size: Int64, accessed: Nanoseconds, modified: Nanoseconds,
        changed: Nanoseconds, target: [UInt8]?, device: UInt64, inode: UInt64
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.target = target
        self.device = device
        self.inode = inode
    }
}

extension CatalogueWriter {
    /// Gives something in main its row, unless its name has one; a file waits for its upload then.
    ///
    /// Returns the resource of that name. With `isFirst`, `adopted.first` and `adopted.last` enclose the numbers given.
    package func adopt(
        _ kind: Resource.Kind, parent: ResourceID, name: [UInt8], _ found: AdoptedAttributes, isFirst: Bool
    ) throws(CatalogueError) -> ResourceID {
        if let known = try reader.lookup(parent: parent, name: name) { return known.id }
        let attributes = NewAttributes(
            mode: found.mode, uid: found.uid, gid: found.gid, target: found.target, device: found.device)
        let directory = try live(parent)
        let row = try create(kind, parent: parent, name: name, attributes, now: found.modified)
        try restoreTimes(of: directory)
        try run(
            """
            UPDATE resource SET size = ?, accessed = ?, modified = ?, changed = ?, in_main = 1, main_inode = ?, adopted = 1,
                status = CASE kind WHEN 'file' THEN 'creating' ELSE 'created' END,
                needs_upload = kind = 'file', due = CASE kind WHEN 'file' THEN 0 END WHERE id = ?
            """,
            [
                found.size, found.accessed, found.modified, found.changed, Int64(bitPattern: found.inode),
                row.id.rawValue,
            ])
        guard isFirst else { return row.id }
        if try reader.setting("adopted.first") == nil { try set("adopted.first", to: "\(row.id.rawValue)") }
        try set("adopted.last", to: "\(row.id.rawValue)")
        return row.id
    }

    /// Gives an adopted resource the name of another hard link to it, unless the name is taken.
    package func adoptLink(_ id: ResourceID, parent: ResourceID, name: [UInt8]) throws(CatalogueError) {
        guard try reader.lookup(parent: parent, name: name) == nil else { return }
        let directory = try live(parent)
        let intent = try link(id, parent: parent, name: name, now: try live(id).changed)
        try finishNameIntent(intent)
        try restoreTimes(of: directory)
    }

    /// What an adopted directory holds was there before: its times are those it had.
    private func restoreTimes(of directory: Resource) throws(CatalogueError) {
        try run(
            "UPDATE resource SET modified = ?, changed = ? WHERE id = ?",
            [directory.modified, directory.changed, directory.id.rawValue])
    }
}
