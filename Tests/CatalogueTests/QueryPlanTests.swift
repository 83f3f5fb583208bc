// No statement of the catalogue costs more with the number of files: each is taken from the source, and SQLite is asked
// how it would answer it.

import Foundation
import GRDB
import Testing

@testable import Catalogue

@Suite("Query plans")
struct QueryPlanTests {
    private static let sources = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/BackupFS/Catalogue/SQLite")

    /// Tables that hold a few rows, or only what is pending: a scan of them is bounded by that.
    private static let small: Set<String> = [
        "setting", "tally", "rename_intent", "name_intent", "aside", "outbox", "multipart_upload",
        "sqlite_sequence",
    ]

    /// The schema's statements run once, a snapshot's are to read everything.
    private static let exempt: Set<String> = ["Schema.swift", "CatalogueReader+Everything.swift"]

    /// Every literal of the sources, by the name of the constant that it is the value of, or under its own text.
    private func literals() throws -> [(name: String?, text: String)] {
        var found: [(String?, String)] = []
        for file in try FileManager.default.contentsOfDirectory(at: Self.sources, includingPropertiesForKeys: nil)
        where file.pathExtension == "swift" && !Self.exempt.contains(file.lastPathComponent) {
            let text = try String(contentsOf: file, encoding: .utf8)
            let pattern = /(?:static let (?<name>\w+) =\s*)?(?:"""\n(?<long>[\s\S]*?)"""|"(?<short>[^"\n]*)")/
            for match in text.matches(of: pattern) {
                found.append((match.name.map(String.init), String(match.long ?? match.short ?? "")))
            }
        }
        return found
    }

    /// The statements, with the constants in them put in.
    private func statements() throws -> [String] {
        let literals = try literals()
        var constants: [String: String] = ["Resource.columns": Resource.columns]
        for case (let name?, let text) in literals where constants[name] == nil { constants[name] = text }
        func resolved(_ text: String) -> String {
            var text = text
            for _ in 0..<4 {
                text = text.replacing(/\\\((?:Self\.)?([\w.]+)\)/) { constants[String($0.1)] ?? String($0.0) }
            }
            return text
        }
        let starts = ["SELECT ", "UPDATE ", "INSERT ", "DELETE "]
        return literals.map { resolved($0.text).trimmingCharacters(in: .whitespacesAndNewlines) }
            .filter { text in starts.contains { text.hasPrefix($0) } }
            .flatMap { text in
                text.contains("\\(table)")
                    ? ["resource", "version"].map { text.replacing("\\(table)", with: $0) } : [text]
            }
    }

    @Test("Every statement finds its rows by an index")
    func plans() throws {
        let temporary = try TemporaryCatalogue()
        let catalogue = temporary.catalogue
        let statements = try statements()
        #expect(statements.count > 80)
        defer { withExtendedLifetime(temporary) {} }
        try catalogue.pool.write { database in
            for statement in statements {
                let plan: [String]
                do {
                    let question = try database.makeStatement(sql: "EXPLAIN QUERY PLAN " + statement)
                    question.setUncheckedArguments(StatementArguments())
                    plan = try Row.fetchAll(question).map { $0["detail"] }
                } catch {
                    Issue.record("\(error): \(statement)")
                    continue
                }
                for step in plan {
                    guard let scan = step.firstMatch(of: /^SCAN (\w+)(?<rest>.*)$/) else { continue }
                    let table = String(scan.1)
                    if Self.small.contains(table) || step.contains("CONSTANT ROW") || table.hasPrefix("(") { continue }
                    // Of an index with a condition it reads what meets the condition: what is pending.
                    let index = scan.rest.firstMatch(of: /INDEX (\w+)/).map { String($0.1) }
                    let isBounded = try index.map { try isPartial($0, database) } ?? false
                    #expect(isBounded, "\(step) in: \(statement)")
                }
            }
        }
    }

    private func isPartial(_ index: String, _ database: Database) throws -> Bool {
        let sql = try String.fetchOne(database, sql: "SELECT sql FROM sqlite_master WHERE name = ?", arguments: [index])
        return sql?.contains(" WHERE") ?? sql?.contains("\nWHERE") ?? false
    }

    @Test("Every foreign key is looked up by an index when its row goes")
    func foreignKeys() throws {
        let temporary = try TemporaryCatalogue()
        let catalogue = temporary.catalogue
        defer { withExtendedLifetime(temporary) {} }
        try catalogue.pool.read { database in
            let tables = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
            var keys = 0
            for table in tables {
                for key in try Row.fetchAll(database, sql: "PRAGMA foreign_key_list(\(table))") {
                    keys += 1
                    let column: String = key["from"]
                    let leading = try Row.fetchAll(database, sql: "PRAGMA index_list(\(table))").filter { index in
                        guard index["partial"] as Int == 0 else { return false }
                        let name: String = index["name"]
                        let first = try Row.fetchAll(database, sql: "PRAGMA index_info(\(name))").first
                        return first?["name"] as String? == column
                    }
                    #expect(!leading.isEmpty, "\(table).\(column)")
                }
            }
            #expect(keys >= 5)
        }
    }
}
