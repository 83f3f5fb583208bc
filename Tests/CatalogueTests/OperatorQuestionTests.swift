// What an operator asks of a catalogue with much to tell: in pages, over indexes of what is pending, beside the lookups.

import Foundation
import GRDB
import GRDBSQLite
import Testing

@testable import Catalogue

@Suite("The operator's questions to the catalogue", .timeLimit(.minutes(40)))
struct OperatorQuestionTests {
    private static let rows = 20_000
    private let temporary: TemporaryCatalogue
    private var catalogue: SQLiteCatalogue { temporary.catalogue }

    init() throws { temporary = try TemporaryCatalogue() }

    /// Files of which two thirds wait for their upload, and versions whose removal failed.
    private func fill() throws {
        let statement = """
            WITH RECURSIVE number (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n <= \(Self.rows))
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count, in_main, needs_upload, due, last_error)
            SELECT n, 'file', 'creating', 420, 0, 0, 0, n, n, n, n, 1, 1, n % 3 > 0, CASE WHEN n % 3 > 0 THEN n END, 'x'
            FROM number
            """
        try catalogue.pool.write { database in
            try database.execute(sql: statement)
            try database.execute(
                sql: """
                    INSERT INTO version (id, resource, key, size, sha256, state, created_at, attempts)
                    SELECT 'v' || id, id, 'k' || id, 0, zeroblob(32), iif(id % 2, 'removing', 'abandoned'), 1, 1
                    FROM resource WHERE id % 3 = 0
                    """)
        }
    }

    @Test("20,000 leftovers come complete, in order, a page at a time")
    func pages() async throws {
        try fill()
        let limit = 256
        var position: LeftoverPosition? = .start
        var seen: [Leftover] = []
        var steps = 0
        while let start = position {
            let found = try await catalogue.ask { reader throws(CatalogueError) in
                try reader.leftovers(from: start, limit: limit)
            }
            #expect(found.page.count <= limit)
            seen += found.page
            position = found.next
            steps += 1
        }
        let numbers = 2...Int64(Self.rows + 1)
        #expect(
            seen.map(\.resource.id.rawValue) == numbers.filter { $0 % 3 > 0 } + numbers.filter { $0 % 3 == 0 })
        #expect(seen.prefix { $0.reason == .notInBackup }.count == numbers.count { $0 % 3 > 0 })
        #expect(
            seen.count { $0.reason == .abandonedVersion } == numbers.count { $0 % 6 == 0 }
                && seen.count { $0.reason == .supersededVersion } == numbers.count { $0 % 6 == 3 })
        #expect(steps <= Self.rows / limit + 3)
        let counts = try await catalogue.ask { reader throws(CatalogueError) in try reader.counts() }
        #expect(counts.leftovers == Self.rows && counts.creating == Self.rows && counts.created == 0)
        #expect(counts.pendingUploads == numbers.count { $0 % 3 > 0 })
        #expect(counts.pendingRemovals == numbers.count { $0 % 3 == 0 })
    }

    @Test("A page steps over its own rows and no others, wherever it begins")
    func costOfAPage() throws {
        try fill()
        for start in [2, Int64(Self.rows / 2), Int64(Self.rows - 600)] {
            let instructions = try catalogue.read { reader throws(CatalogueError) in
                let counter = InstructionCounter(reader.database)
                _ = try reader.leftovers(from: .resources(after: start), limit: 100)
                return counter.stop()
            }
            // Some fifty for each of its rows; each of the others would cost one at least.
            #expect(instructions > 0 && instructions < Self.rows / 2, "\(instructions) from \(start) on")
        }
    }

    @Test("No question reads all of the resources or versions: each goes over an index of what is pending")
    func plans() throws {
        try catalogue.pool.read { database in
            for question in CatalogueReader.operatorQuestions {
                let numbers = question.matches(of: /\?\d?/).map { String($0.output) }
                let arguments = StatementArguments(
                    Array(
                        repeating: 1,
                        count: Set(numbers.filter { $0 != "?" }).count
                            + numbers.count { $0 == "?" }))
                let plan = try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + question, arguments: arguments)
                for step in plan.map({ $0["detail"] as String }) where step.contains(/^SCAN (resource|version)/) {
                    let index = try #require(step.firstMatch(of: /USING (COVERING )?INDEX (\w+)/)?.output.2, "\(step)")
                    let sql = try String.fetchOne(
                        database, sql: "SELECT sql FROM sqlite_schema WHERE name = ?", arguments: [String(index)])
                    #expect(sql?.contains("WHERE") == true, "\(step) of \(question)")
                }
            }
        }
    }

    @Test("Questions are answered while every reader that lookups use is taken, and the WAL can be emptied afterwards")
    func ownConnection() async throws {
        try fill()
        let (taken, release) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let ended = DispatchGroup()
        let catalogue = catalogue
        for _ in 0..<4 {
            ended.enter()
            Thread.detachNewThread {
                try? catalogue.read { (_) throws(CatalogueError) in
                    taken.signal()
                    release.wait()
                }
                ended.leave()
            }
        }
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                for _ in 0..<4 { taken.wait() }
                continuation.resume()
            }
        }
        let counts = try await catalogue.ask { reader throws(CatalogueError) in try reader.counts() }
        #expect(counts.leftovers == Self.rows)
        for _ in 0..<4 { release.signal() }
        await withCheckedContinuation { continuation in ended.notify(queue: .global()) { continuation.resume() } }
        let checkpoint = try await catalogue.pool.writeWithoutTransaction { database in
            try database.checkpoint(.truncate).walFrameCount
        }
        #expect(checkpoint == 0)
        try catalogue.close()
        await #expect(throws: CatalogueError.self) {
            try await catalogue.ask { reader throws(CatalogueError) in try reader.counts() }
        }
    }

    @Test("The tally follows rows that are made, change their status and are erased; an older catalogue is counted")
    func tally() throws {
        let file = try temporary.create("a.jpg")
        try temporary.create("link", kind: .symlink, target: "x")
        func counted() throws -> [Int] {
            let counts = try catalogue.read { reader throws(CatalogueError) in try reader.counts() }
            let rows = try catalogue.pool.read { database in
                try ["creating", "created", "deleted"].map { status in
                    try Int.fetchOne(
                        database, sql: "SELECT count(*) FROM resource WHERE status = ? AND id <> 1",
                        arguments: [status]) ?? 0
                }
            }
            #expect([counts.creating, counts.created, counts.deleted] == rows)
            return rows
        }
        #expect(try counted().reduce(0, +) == 2)
        _ = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.delete(Dentry(.root, Array("a.jpg".utf8)), directory: false, now: 2)
        }
        #expect(try counted()[2] == 1)
        try catalogue.pool.write {
            try $0.execute(sql: "DELETE FROM resource WHERE id = ?", arguments: [file.id.rawValue])
        }
        #expect(try counted().reduce(0, +) == 1)
    }
}

/// Counts the instructions that SQLite executes on one connection.
private final class InstructionCounter {
    private let connection: OpaquePointer?
    private var count = 0

    init(_ database: Database) {
        connection = database.sqliteConnection
        sqlite3_progress_handler(
            connection, 1,
            { counter in
                guard let counter else { return 0 }
                Unmanaged<InstructionCounter>.fromOpaque(counter).takeUnretainedValue().count += 1
                return 0
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    func stop() -> Int {
        sqlite3_progress_handler(connection, 0, nil, nil)
        return count
    }
}
