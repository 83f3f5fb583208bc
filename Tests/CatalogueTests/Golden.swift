import Foundation
import GRDB

@testable import Catalogue

/// What earlier versions wrote, kept as they wrote it (Tests/CatalogueTests/Golden).
enum Golden {
    /// The migrations that have shipped, oldest first: each has the dump of a catalogue as it left it.
    ///
    /// A catalogue that went through all of them, with rows that each version added. A new one is made with
    /// `sqlite3 MAIN/.backupfs/catalogue.sqlite .dump` and never changed once its migration has shipped.
    static let stages = [
        "1 resources", "2 followed intents", "3 counting", "4 edges", "5 operators", "6 multipart uploads",
        "7 removal after journal", "8 journal as a log",
    ]

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    /// A journal segment, gzip as it lies in a bucket.
    static func segment() throws -> [UInt8] {
        try Array(Data(contentsOf: folder.appending(path: "segment.jsonl.gz")))
    }

    /// A database in memory, or at `path`, as the migration `stage` left it.
    static func catalogue(_ stage: String, at path: String = ":memory:") throws -> DatabaseQueue {
        let name = stage.replacingOccurrences(of: " ", with: "-") + ".sql"
        let dump = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { database in try database.execute(sql: dump) }
        return queue
    }

    /// Every table, index and trigger, as it was made.
    static func schema(_ queue: DatabaseQueue) throws -> [String] {
        try queue.read { database in
            try String.fetchAll(
                database,
                sql:
                    "SELECT type || ' ' || name || ': ' || sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
            )
        }
    }

    /// Every row of every table, as text: the table's name, then each column that is not NULL, by its name.
    static func rows(_ queue: DatabaseQueue) throws -> Set<String> {
        try queue.read { database in
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'")
            return try tables.reduce(into: []) { all, table in
                for row in try Row.fetchAll(database, sql: "SELECT * FROM \(table)") {
                    let columns = row.filter { !$0.1.isNull }.map { "\($0.0)=\($0.1)" }
                    all.insert("\(table) \(columns.joined(separator: " "))")
                }
            }
        }
    }
}
