// A catalogue from what a journal tells. What comes from a bucket is data, not a database: it goes row by row into tables of
// our own schema, and what cannot be is put right afterwards (CatalogueBuilder+Repair.swift).

import Foundation
import GRDB
import Linux

/// Builds a new catalogue from records; used by one thread.
package final class CatalogueBuilder {
    let queue: DatabaseQueue
    /// nil once all rows are there.
    private var rows: BulkRows?
    /// What makes the triggers and indexes again, which would cost time with every row.
    let postponed: [String]
    /// What was told and cannot be, so far.
    package var findings = RestoreFindings()

    /// Makes `catalogue.sqlite` in the directory that `directory` is open on, which has none.
    package init(directory: Int32) throws(CatalogueError) {
        guard DescriptorFileSystem.register() else { throw .database(message: "SQLite's VFS cannot be registered") }
        (queue, postponed, rows) = try SQLiteCatalogue.translating {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = false
            // One transaction from the first record to the end.
            configuration.allowsUnsafeTransactions = true
            configuration.prepareDatabase { database in
                // A stop leaves a file that nobody uses. What the schema checks of a row has been checked of its record
                // (JournalRecord+Line.swift), in a fraction of the time.
                try database.execute(
                    sql: """
                        PRAGMA trusted_schema = OFF; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                        PRAGMA cache_size = -64000; PRAGMA temp_store = FILE
                        """)
            }
            let queue = try DatabaseQueue(
                path: "/proc/self/fd/\(directory)/catalogue.sqlite", configuration: configuration)
            try Schema.migrator.migrate(queue)
            return try queue.writeWithoutTransaction { database in
                let postponed = try Self.postpone(database)
                try database.execute(sql: "PRAGMA ignore_check_constraints = ON; BEGIN")
                return (queue, postponed, try BulkRows(database))
            }
        }
    }

    /// Takes triggers and indexes out of the schema, and returns what makes them again.
    ///
    /// An index of few rows costs less with each row than by a look at all of them.
    private static func postpone(_ database: Database) throws -> [String] {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT type, name, sql FROM sqlite_schema
                WHERE type = 'trigger' OR type = 'index' AND sql IS NOT NULL AND sql NOT LIKE '%WHERE%'
                """)
        for row in rows { try database.execute(sql: "DROP \(row["type"] as String) \(row["name"] as String)") }
        return rows.map { $0["sql"] }
    }

    /// Takes in what the next records of the history tell.
    package func apply(_ records: [JournalRecord]) throws(CatalogueError) {
        try SQLiteCatalogue.translating {
            try queue.writeWithoutTransaction { database in
                let writer = CatalogueWriter(database: database)
                guard let rows else { return }
                for record in records { try apply(record, rows, writer) }
            }
        }
    }

    private func apply(_ record: JournalRecord, _ rows: BulkRows, _ writer: CatalogueWriter) throws {
        switch record {
        case .resource(let state):
            try rows.add(state)
            if let content = state.content { try add(content, of: state.id, createdAt: state.changed, rows) }
        case .erasedResource(let id):
            try rows.resources.flush()
            try writer.run("DELETE FROM resource WHERE id = ?", [id])
        case .name(let parent, let name, let resource):
            guard Dentry(ResourceID(parent), name).isPossible else {
                findings.names += 1
                return
            }
            try rows.add(name: name, in: parent, of: resource)
        case .removedName(let parent, let name):
            try rows.names.flush()
            try writer.run("DELETE FROM name WHERE parent = ? AND name = ?", [parent, Data(name)])
        case .xattr(let resource, let name, let value):
            guard (1...255).contains(name.count), !name.contains(0), value.count <= 65_536 else {
                findings.attributes += 1
                return
            }
            try rows.add(xattr: name, value, of: resource)
        case .removedXattr(let resource, let name):
            try rows.xattrs.flush()
            try writer.run("DELETE FROM xattr WHERE resource = ? AND name = ?", [resource, Data(name)])
        case .version(let state):
            try add(state.content, of: state.resource, createdAt: state.createdAt, rows)
            try rows.versions.flush()
            try writer.run(
                "UPDATE version SET state = 'removing', kept_until = ?, due = ? WHERE id = ?",
                [state.keptUntil, state.keptUntil, state.content.id])
        case .removedVersion(let id):
            try rows.versions.flush()
            try writer.run("DELETE FROM version WHERE id = ?", [id])
        }
    }

    private func add(
        _ content: JournalRecord.Content, of resource: Int64, createdAt: Nanoseconds, _ rows: BulkRows
    ) throws {
        // A key that is not a content's could make a later removal take something else.
        guard content.isPossible else {
            findings.contents += 1
            return
        }
        try rows.add(content, of: resource, createdAt: createdAt)
    }

    /// Puts right what cannot be, makes the schema whole, and leaves a catalogue that a mount can use.
    package func finish(_ end: RestoredEnd) throws(CatalogueError) -> RestoreFindings {
        try SQLiteCatalogue.translating {
            try queue.writeWithoutTransaction { database in
                try rows?.flush()
                rows = nil
                try database.execute(sql: "PRAGMA ignore_check_constraints = OFF")
                let writer = CatalogueWriter(database: database)
                try repair(writer)
                try count(writer)
                for sql in postponed where !Self.usedByRepair.contains(where: { sql.contains($0) }) {
                    try database.execute(sql: sql)
                }
                try set(end, writer)
                try database.execute(sql: "COMMIT; PRAGMA synchronous = FULL")
                _ = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
            }
            try queue.close()
        }
        return findings
    }

    /// Counts what is there, in one pass.
    private func count(_ writer: CatalogueWriter) throws(CatalogueError) {
        let counts = try writer.reader.row(
            """
            SELECT count(*) FILTER (WHERE status = 'creating') AS creating,
                count(*) FILTER (WHERE status = 'created') AS created,
                count(*) FILTER (WHERE status = 'deleted') AS deleted,
                count(*) FILTER (WHERE kind = 'file' AND status <> 'deleted') AS files,
                coalesce(sum(size) FILTER (WHERE version IS NOT NULL AND status <> 'deleted'), 0) AS bytes
            FROM resource WHERE id <> 1
            """, [])
        guard let counts else { return }
        for status in ["creating", "created", "deleted"] {
            let number: Int = counts[status]
            try writer.run("UPDATE tally SET number = ? WHERE status = ?", [number, status])
        }
        findings.resources = 1 + (counts["creating"] as Int) + (counts["created"] as Int)
        findings.files = counts["files"]
        findings.bytes = counts["bytes"]
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
        // A million keys are looked at in one go, so this makes no parts of them.
        guard key.utf8.count <= 1024, key.utf8.allSatisfy({ (33...126).contains($0) }), !key.hasPrefix(".backupfs/"),
            key != ".backupfs"
        else { return false }
        let slash = UInt8(ascii: "/")
        var length = 0
        var dots = 0
        for byte in key.utf8 {
            if byte == slash {
                if length == 0 || length == dots && dots <= 2 { return false }
                (length, dots) = (0, 0)
            } else {
                length += 1
                if byte == UInt8(ascii: ".") { dots += 1 }
            }
        }
        return length > 0 && !(length == dots && dots <= 2)
    }
}
