import Foundation
import GRDB

extension CatalogueWriter {
    func adopt(
        _ kind: Resource.Kind, _ dentry: Dentry, _ found: AdoptedAttributes, isFirst: Bool
    ) throws(CatalogueError) -> ResourceID {
        if let known = try reader.lookup(dentry) { return known.id }
        let attributes = NewAttributes(
            mode: found.mode, uid: found.uid, gid: found.gid, target: found.target, device: found.device)
        let directory = try live(dentry.parent)
        let row = try create(kind, dentry, attributes, now: found.modified)
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

    func adoptLink(_ id: ResourceID, _ dentry: Dentry) throws(CatalogueError) {
        guard try reader.lookup(dentry) == nil else { return }
        let directory = try live(dentry.parent)
        let intent = try link(id, dentry, now: try live(id).changed)
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
