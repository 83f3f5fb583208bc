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
    var changed: Nanoseconds
    var target: [UInt8]?

    package init(
        mode: UInt32, uid: UInt32, gid: UInt32, size: Int64, accessed: Nanoseconds, modified: Nanoseconds,
        changed: Nanoseconds, target: [UInt8]?
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.target = target
    }
}

extension CatalogueWriter {
    /// Gives something in main its row, unless its name has one; a file waits for its upload then.
    ///
    /// Returns the resource of that name. `adopted.first` and `adopted.last` enclose the numbers given.
    package func adopt(
        _ kind: Resource.Kind, parent: ResourceID, name: [UInt8], _ found: AdoptedAttributes
    ) throws(CatalogueError) -> ResourceID {
        if let known = try reader.lookup(parent: parent, name: name) { return known.id }
        let attributes = NewAttributes(mode: found.mode, uid: found.uid, gid: found.gid)
        let row = try create(
            kind, parent: parent, name: name, attributes, target: found.target, now: found.modified)
        try run(
            """
            UPDATE resource SET size = ?, accessed = ?, modified = ?, changed = ?, in_main = 1,
                status = CASE kind WHEN 'file' THEN 'creating' ELSE 'created' END,
                needs_upload = kind = 'file', due = CASE kind WHEN 'file' THEN 0 END WHERE id = ?
            """, [found.size, found.accessed, found.modified, found.changed, row.id.rawValue])
        if try reader.setting("adopted.first") == nil { try set("adopted.first", to: "\(row.id.rawValue)") }
        try set("adopted.last", to: "\(row.id.rawValue)")
        return row.id
    }
}
