// What a journal says can contradict itself only if somebody has written in the bucket, or a segment is missing. Nothing of it
// is thrown away: what has no way to the root goes to `lost+found`.

import Foundation
import GRDB

extension CatalogueBuilder {
    private static let lostAndFound = "lost+found"

    func repair(_ writer: CatalogueWriter) throws(CatalogueError) {
        try makeRoot(writer)
        try writer.run("CREATE INDEX restore_names ON name (resource)", [])
        // Versions that no row lives on any more, and rows whose version is not there.
        try writer.run(
            """
            DELETE FROM version WHERE state = 'stored'
                AND id NOT IN (SELECT version FROM resource WHERE version IS NOT NULL)
            """, [])
        try writer.run("DELETE FROM version WHERE resource NOT IN (SELECT id FROM resource)", [])
        try writer.run(
            """
            UPDATE resource SET version = NULL, in_backup = 0
            WHERE version IS NOT NULL AND version NOT IN (SELECT id FROM version WHERE state = 'stored')
            """, [])
        try writer.run("DELETE FROM xattr WHERE resource NOT IN (SELECT id FROM resource)", [])
        try writer.run(
            """
            DELETE FROM name WHERE resource = 1
                OR resource NOT IN (SELECT id FROM resource WHERE status <> 'deleted')
                OR parent NOT IN (SELECT id FROM resource WHERE kind = 'directory' AND status <> 'deleted')
            """, [])
        // A directory has one name.
        try writer.run(
            """
            DELETE FROM name WHERE resource IN (SELECT id FROM resource WHERE kind = 'directory')
                AND cookie > (SELECT min(cookie) FROM name AS other WHERE other.resource = name.resource)
            """, [])
        try bringHome(writer)
        try writer.run(
            """
            UPDATE resource SET link_count = CASE kind
                WHEN 'directory' THEN 2 + (SELECT count(*) FROM name JOIN resource AS child ON child.id = name.resource
                    WHERE name.parent = resource.id AND child.kind = 'directory')
                ELSE (SELECT count(*) FROM name WHERE name.resource = resource.id) END
            WHERE status <> 'deleted'
            """, [])
        try writer.run("DROP INDEX restore_names", [])
    }

    private func makeRoot(_ writer: CatalogueWriter) throws(CatalogueError) {
        let root = try writer.reader.resource(.root)
        if root?.kind == .directory, root?.status == .created {
            return try writer.run("UPDATE resource SET in_main = 1 WHERE id = 1", [])
        }
        // Whatever it was told to be, it is a directory.
        try writer.run("DELETE FROM resource WHERE id = 1", [])
        try writer.createRoot(NewAttributes(mode: 0o755, uid: 0, gid: 0), now: 0)
    }

    /// Gives everything that has no way to the root a name in `lost+found`.
    private func bringHome(_ writer: CatalogueWriter) throws(CatalogueError) {
        try writer.run("CREATE TEMP TABLE home (id INTEGER PRIMARY KEY)", [])
        defer { try? writer.run("DROP TABLE home", []) }
        while true {
            try writer.run("DELETE FROM home", [])
            try writer.run(
                """
                WITH RECURSIVE below (id) AS (
                    VALUES (1) UNION SELECT name.resource FROM below JOIN name ON name.parent = below.id)
                INSERT INTO home SELECT id FROM below
                """, [])
            let lost = try writer.reader.rows(
                """
                SELECT id, kind, (SELECT key FROM version WHERE version.id = resource.version) AS key FROM resource
                WHERE status <> 'deleted' AND id NOT IN (SELECT id FROM home)
                    AND id NOT IN (SELECT resource FROM name) LIMIT 1000
                """, [])
            if lost.isEmpty {
                // What is left hangs in a ring of directories: it is cut at the oldest.
                let ring = try writer.reader.row(
                    """
                    SELECT min(id) FROM resource
                    WHERE status <> 'deleted' AND kind = 'directory' AND id NOT IN (SELECT id FROM home)
                    """, [])
                guard let id = ring?[0] as Int64? else { return }
                try writer.run("DELETE FROM name WHERE resource = ?", [id])
                continue
            }
            let home = try lostAndFound(writer)
            for row in lost {
                let id: Int64 = row["id"]
                let last = (row["key"] as String?)?.split(separator: "/").last.map { "-\($0)" } ?? ""
                try writer.run(
                    "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)",
                    [home, Data("\(id)\(last)".utf8.prefix(255)), id])
            }
            findings.orphans += lost.count
        }
    }

    private func lostAndFound(_ writer: CatalogueWriter) throws(CatalogueError) -> Int64 {
        let name = Array(Self.lostAndFound.utf8)
        if let known = try writer.reader.lookup(Dentry(.root, name)) {
            if known.kind == .directory { return known.id.rawValue }
            // A file of that name keeps its content, not its name.
            try writer.run("DELETE FROM name WHERE parent = 1 AND name = ?", [Data(name)])
        }
        let id: Int64 = try writer.reader.row("SELECT max(id) + 1 FROM resource", [])?[0] ?? 2
        try writer.run(
            """
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count) SELECT ?, 'directory', 'created', 448, uid, gid, 0, modified, modified, changed, changed, 2
                FROM resource WHERE id = 1
            """, [id])
        try writer.run("INSERT INTO name (parent, name, resource) VALUES (1, ?, ?)", [Data(name), id])
        return id
    }
}
