// A catalogue from what a journal tells. What comes from a bucket is data, not a database: it goes row by row into tables of
// our own schema, and what cannot be is put right afterwards (CatalogueBuilder+Repair.swift).

import Foundation
import GRDB
import Linux

/// Builds a new catalogue from records; used by one thread.
package final class CatalogueBuilder {
    let queue: DatabaseQueue
    /// What is made again when all rows are there: triggers, and indexes that cost time with every row.
    private var postponed: [String] = []
    /// What was told and cannot be, so far.
    package var findings = RestoreFindings()

    /// Makes `catalogue.sqlite` in the directory that `directory` is open on, which has none.
    package init(directory: Int32) throws(CatalogueError) {
        guard DescriptorFileSystem.register() else { throw .database(message: "SQLite's VFS cannot be registered") }
        (queue, postponed) = try SQLiteCatalogue.translating {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = false
            configuration.prepareDatabase { database in
                // A stop leaves a file that nobody uses.
                try database.execute(
                    sql: """
                        PRAGMA trusted_schema = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                        PRAGMA cache_size = -64000; PRAGMA temp_store = FILE
                        """)
            }
            let queue = try DatabaseQueue(
                path: "/proc/self/fd/\(directory)/catalogue.sqlite", configuration: configuration)
            try Schema.migrator.migrate(queue)
            let postponed = try queue.writeWithoutTransaction { database in try Self.postpone(database) }
            return (queue, postponed)
        }
    }

    /// Takes triggers and indexes out of the schema, and returns what makes them again.
    private static func postpone(_ database: Database) throws -> [String] {
        let needed = ["name_listing", "version_of_resource"]
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL")
        var postponed: [String] = []
        for row in rows where !needed.contains(row["name"] as String) {
            try database.execute(sql: "DROP \(row["type"] as String) \(row["name"] as String)")
            postponed.append(row["sql"])
        }
        return postponed
    }

    /// Takes in what one segment tells; `next` gives its records.
    package func apply(
        _ next: () throws(SegmentError) -> JournalRecord?
    ) throws(CatalogueError) -> Result<Int, SegmentError> {
        try SQLiteCatalogue.translating {
            try queue.write { database in
                let writer = CatalogueWriter(database: database)
                var count = 0
                do throws(SegmentError) {
                    while let record = try next() {
                        do throws(CatalogueError) { try apply(record, writer) } catch {
                            return .failure(.catalogue(error))
                        }
                        count += 1
                    }
                } catch {
                    return .failure(error)
                }
                return .success(count)
            }
        }
    }

    private func apply(_ record: JournalRecord, _ writer: CatalogueWriter) throws(CatalogueError) {
        switch record {
        case .resource(let state): try apply(state, writer)
        case .erasedResource(let id): try writer.run("DELETE FROM resource WHERE id = ?", [id])
        case .name(let parent, let name, let resource):
            guard Dentry(ResourceID(parent), name).isPossible else {
                findings.names += 1
                return
            }
            try writer.run(
                """
                INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)
                ON CONFLICT (parent, name) DO UPDATE SET resource = excluded.resource
                """, [parent, Data(name), resource])
        case .removedName(let parent, let name):
            try writer.run("DELETE FROM name WHERE parent = ? AND name = ?", [parent, Data(name)])
        case .xattr(let resource, let name, let value):
            guard (1...255).contains(name.count), !name.contains(0), value.count <= 65_536 else {
                findings.attributes += 1
                return
            }
            try writer.run(
                """
                INSERT INTO xattr (resource, name, value) VALUES (?, ?, ?)
                ON CONFLICT (resource, name) DO UPDATE SET value = excluded.value
                """, [resource, Data(name), Data(value)])
        case .removedXattr(let resource, let name):
            try writer.run("DELETE FROM xattr WHERE resource = ? AND name = ?", [resource, Data(name)])
        case .version(let state):
            try store(state.content, of: state.resource, createdAt: state.createdAt, writer)
            try writer.run(
                "UPDATE version SET state = 'removing', kept_until = ?, due = ? WHERE id = ?",
                [state.keptUntil, state.keptUntil, state.content.id])
        case .removedVersion(let id): try writer.run("DELETE FROM version WHERE id = ?", [id])
        }
    }

    private func apply(_ state: JournalRecord.ResourceRecord, _ writer: CatalogueWriter) throws(CatalogueError) {
        let deletion = state.deletion
        try writer.run(
            """
            INSERT OR REPLACE INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed,
                created_at, deleted_at, link_count, target, device, in_main, in_backup, main_modified, version,
                version_number, deleted_parent, deleted_name)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?, 0, ?, ?, ?, ?)
            """,
            [
                state.id, state.kind.rawValue, state.status.rawValue, state.mode, state.uid, state.gid, state.size,
                state.accessed, state.modified, state.changed, state.createdAt, deletion?.time,
                state.target.map { Data($0) }, Int64(bitPattern: state.device), state.content != nil,
                state.content?.id, state.versionNumber, deletion?.dentry?.parent.rawValue,
                deletion?.dentry.map { Data($0.name) },
            ])
        if let content = state.content { try store(content, of: state.id, createdAt: state.changed, writer) }
    }

    private func store(
        _ content: JournalRecord.Content, of resource: Int64, createdAt: Nanoseconds, _ writer: CatalogueWriter
    ) throws(CatalogueError) {
        // A key that is not a content's could make a later removal take something else.
        guard content.isPossible else {
            findings.contents += 1
            return
        }
        try writer.run(
            """
            INSERT INTO version (id, resource, key, size, sha256, state, created_at, epoch, change)
            VALUES (?, ?, ?, ?, ?, 'stored', ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET resource = excluded.resource, key = excluded.key, size = excluded.size,
                sha256 = excluded.sha256, state = 'stored', kept_until = NULL, due = NULL
            ON CONFLICT (key) DO NOTHING
            """,
            [
                content.id, resource, content.key, content.size, Data(content.sha256), createdAt,
                content.point?.epoch, content.point?.change,
            ])
    }

    /// Puts right what cannot be, makes the schema whole, and leaves a catalogue that a mount can use.
    package func finish(_ end: RestoredEnd) throws(CatalogueError) -> RestoreFindings {
        try SQLiteCatalogue.translating {
            try queue.write { database in
                let writer = CatalogueWriter(database: database)
                try repair(writer)
                try count(writer)
                for sql in postponed { try database.execute(sql: sql) }
                try set(end, writer)
            }
            try queue.writeWithoutTransaction { database in
                guard try Row.fetchOne(database, sql: "PRAGMA foreign_key_check") == nil else {
                    throw CatalogueError.damaged(message: "a row refers to one that is not there")
                }
                try database.execute(sql: "PRAGMA synchronous = FULL")
                _ = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
            }
            try queue.close()
        }
        return findings
    }

    private func count(_ writer: CatalogueWriter) throws(CatalogueError) {
        try writer.run(
            """
            UPDATE tally SET number = (SELECT count(*) FROM resource WHERE resource.status = tally.status AND id <> 1)
            """, [])
        findings.files = try writer.reader.count(
            "SELECT count(*) FROM resource WHERE kind = 'file' AND status <> 'deleted'")
        findings.resources = try writer.reader.count("SELECT count(*) FROM resource WHERE status <> 'deleted'")
        findings.bytes =
            try writer.reader.row(
                """
                SELECT coalesce(sum(version.size), 0) FROM resource JOIN version ON version.id = resource.version
                WHERE status <> 'deleted'
                """, [])?[0] ?? 0
    }

    private func set(_ end: RestoredEnd, _ writer: CatalogueWriter) throws(CatalogueError) {
        for (key, value) in end.settings { try writer.set(key, to: value) }
        // What the last owner gave since the journal's end is never given again.
        let last: Int64 = try writer.reader.row("SELECT coalesce(max(id), 1) FROM resource", [])?[0] ?? 1
        try writer.set(Setting.sweepLast, to: "\(last)")
        for (table, number) in [("resource", last + RestoredEnd.numbersLeftOut), ("outbox", end.lastChange)] {
            try writer.run("DELETE FROM sqlite_sequence WHERE name = ?", [table])
            try writer.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, number])
        }
        // What was put right is not what the journal tells: the next segment tells everything.
        if findings.isRepaired {
            try writer.set(Setting.journalBase, to: "needed")
            try writer.tell(.root)
        }
    }
}

/// Where the history ends that a catalogue was built from.
package struct RestoredEnd: Sendable {
    /// Resource numbers that may have been given since, and are in objects that no segment names.
    static let numbersLeftOut: Int64 = 1 << 32

    package var settings: [String: String]
    /// The number of the last change.
    package var lastChange: Int64

    package init(settings: [String: String], lastChange: Int64) {
        self.settings = settings
        self.lastChange = lastChange
    }
}

/// What a restore found, and what it had to put right.
package struct RestoreFindings: Sendable, Equatable {
    /// Live resources, the root with them, and those of them that are files.
    package var resources = 0
    package var files = 0
    /// Bytes of their contents.
    package var bytes: Int64 = 0
    /// Names that no entry of a directory can have.
    package var names = 0
    /// Attributes whose name or length cannot be.
    package var attributes = 0
    /// Contents whose key cannot be.
    package var contents = 0
    /// Resources that had no way to the root, and are in `lost+found`.
    package var orphans = 0

    package init() {}

    /// Whether the catalogue is not what was told.
    package var isRepaired: Bool { names + attributes + contents + orphans > 0 }
}

extension Dentry {
    /// Whether the name can be one of an entry, in this directory.
    var isPossible: Bool {
        guard (1...255).contains(name.count), name != [46], name != [46, 46] else { return false }
        return !name.contains(0) && !name.contains(UInt8(ascii: "/"))
            && !(parent == .root && name == Array(".backupfs".utf8))
    }
}

extension JournalRecord.Content {
    /// Whether the key can be that of a content below the prefix.
    var isPossible: Bool {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        return key.utf8.count <= 1024 && key.utf8.allSatisfy { (33...126).contains($0) } && parts.first != ".backupfs"
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
