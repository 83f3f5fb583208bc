// What a journal says can contradict itself only if somebody has written in the bucket, or a segment is missing. Nothing of it
// is thrown away: what has no way to the root goes to `lost+found`.

import Foundation
import GRDB

extension CatalogueBuilder {
    private static let lostAndFound = "lost+found"

    /// What the questions below need; it is made before them.
    static let usedByRepair = ["INDEX name_of_resource "]

    func repair(_ writer: CatalogueWriter) throws(CatalogueError) {
        try makeRoot(writer)
        try repairVersions(writer)
        try writer.run("DELETE FROM xattr WHERE resource NOT IN (SELECT id FROM resource)", [])
        try writer.run(
            """
            DELETE FROM name WHERE resource = 1
                OR NOT EXISTS (SELECT 1 FROM resource WHERE id = name.resource AND status <> 'deleted')
                OR parent NOT IN (SELECT id FROM resource WHERE kind = 'directory' AND status <> 'deleted')
            """, [])
        for sql in postponed where Self.usedByRepair.contains(where: { sql.contains($0) }) { try writer.run(sql, []) }
        // A directory has one name.
        try writer.run(
            """
            DELETE FROM name WHERE cookie IN (
                SELECT name.cookie FROM resource JOIN name ON name.resource = resource.id
                WHERE kind = 'directory' AND status <> 'deleted' AND EXISTS (
                    SELECT 1 FROM name AS first WHERE first.resource = resource.id AND first.cookie < name.cookie))
            """, [])
        try nameTheNameless(writer)
        try cutRings(writer)
        try countLinks(writer)
    }

    /// Every stored version is its resource's, and every resource's version is there.
    private func repairVersions(_ writer: CatalogueWriter) throws(CatalogueError) {
        try writer.run(
            """
            DELETE FROM version WHERE NOT EXISTS (SELECT 1 FROM resource WHERE id = version.resource
                AND (version.state <> 'stored' OR resource.version = version.id))
            """, [])
        // A look at all ids is only worth it if one is missing.
        let stored = try writer.reader.count("SELECT count(*) FROM version WHERE state = 'stored'")
        guard try writer.reader.count("SELECT count(version) FROM resource") != stored else { return }
        try writer.run(
            """
            UPDATE resource SET version = NULL, in_backup = 0 WHERE version IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM version WHERE id = resource.version AND state = 'stored' AND resource = resource.id)
            """, [])
    }

    private func countLinks(_ writer: CatalogueWriter) throws(CatalogueError) {
        try writer.run(
            """
            UPDATE resource SET link_count = (SELECT count(*) FROM name WHERE name.resource = resource.id)
            WHERE kind <> 'directory' AND id IN (SELECT resource FROM name GROUP BY resource HAVING count(*) > 1)
            """, [])
        try writer.run(
            """
            UPDATE resource SET link_count = 2 + below.number
            FROM (SELECT name.parent, count(*) AS number FROM resource AS child CROSS JOIN name ON name.resource = child.id
                WHERE child.kind = 'directory' AND child.status <> 'deleted' GROUP BY name.parent) AS below
            WHERE resource.id = below.parent
            """, [])
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

    /// Gives what has no name one in `lost+found`.
    private func nameTheNameless(_ writer: CatalogueWriter) throws(CatalogueError) {
        // Every name is that of something living by now.
        let named = try writer.reader.count("SELECT count(DISTINCT resource) FROM name")
        let living = try writer.reader.count("SELECT count(*) FROM resource WHERE status <> 'deleted'")
        guard named < living - 1 else { return }
        try writer.run(
            """
            CREATE TEMP TABLE nameless AS SELECT id FROM resource WHERE status <> 'deleted' AND id <> 1
                AND NOT EXISTS (SELECT 1 FROM name WHERE name.resource = resource.id)
            """, [])
        var last: Int64 = 0
        while true {
            let some = try writer.reader.rows(
                "SELECT id FROM nameless WHERE id > ? ORDER BY id LIMIT 1000", [last])
            guard let end = some.last else { break }
            for row in some { try bringHome(row["id"], writer) }
            last = end["id"]
        }
        try writer.run("DROP TABLE nameless", [])
    }

    /// Directories that are inside each other are cut off at the oldest, each ring by itself.
    private func cutRings(_ writer: CatalogueWriter) throws(CatalogueError) {
        try writer.run("CREATE TEMP TABLE home (id INTEGER PRIMARY KEY)", [])
        try writer.run("CREATE TEMP TABLE directory (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL)", [])
        try writer.run(
            """
            INSERT INTO directory SELECT resource.id, name.parent FROM resource JOIN name ON name.resource = resource.id
            WHERE kind = 'directory' AND status <> 'deleted'
            """, [])
        try writer.run("CREATE INDEX temp.directory_parent ON directory (parent)", [])
        var top: Int64 = 1
        while true {
            try writer.run(
                """
                INSERT INTO home WITH RECURSIVE below (id) AS (
                    VALUES (?) UNION SELECT directory.id FROM below JOIN directory ON directory.parent = below.id)
                SELECT id FROM below
                """, [top])
            let next = try writer.reader.row(
                "SELECT id FROM directory WHERE id > ? AND id NOT IN home ORDER BY id LIMIT 1", [top])
            guard let next else { break }
            top = next["id"]
            // The way up from it ends in a ring, or in a part of one that was cut off already.
            try writer.run("DELETE FROM name WHERE resource = ?", [top])
            try writer.run("DELETE FROM directory WHERE id = ?", [top])
            try bringHome(top, writer)
        }
        try writer.run("DROP TABLE home", [])
        try writer.run("DROP TABLE directory", [])
    }

    private func bringHome(_ id: Int64, _ writer: CatalogueWriter) throws(CatalogueError) {
        let key = try writer.reader.row(
            "SELECT key FROM version JOIN resource ON resource.version = version.id WHERE resource.id = ?", [id])
        let last = (key?["key"] as String?)?.split(separator: "/").last.map { "-\($0)" } ?? ""
        let home = try lostAndFound(writer)
        var name = "\(id)\(last)"
        var number = 1
        while try writer.reader.lookup(Dentry(ResourceID(home), Array(name.utf8.prefix(255)))) != nil {
            number += 1
            name = "\(id)~\(number)\(last)"
        }
        try writer.run(
            "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)", [home, Data(name.utf8.prefix(255)), id])
        findings.orphans += 1
    }

    private func lostAndFound(_ writer: CatalogueWriter) throws(CatalogueError) -> Int64 {
        let name = Array(Self.lostAndFound.utf8)
        let known = try writer.reader.lookup(Dentry(.root, name))
        if let known, known.kind == .directory { return known.id.rawValue }
        // A file of that name keeps its content, not its name.
        try writer.run("DELETE FROM name WHERE parent = 1 AND name = ?", [Data(name)])
        let id: Int64 = try writer.reader.row("SELECT max(id) + 1 FROM resource", [])?[0] ?? 2
        try writer.run(
            """
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count) SELECT ?, 'directory', 'created', 448, uid, gid, 0, modified, modified, changed, changed, 2
                FROM resource WHERE id = 1
            """, [id])
        try writer.run("INSERT INTO name (parent, name, resource) VALUES (1, ?, ?)", [Data(name), id])
        if let known, try writer.reader.row("SELECT 1 FROM name WHERE resource = ?", [known.id.rawValue]) == nil {
            try bringHome(known.id.rawValue, writer)
        }
        return id
    }
}
