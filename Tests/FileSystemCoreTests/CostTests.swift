// What operations cost, counted: requests to the store, and reads, transactions, pages and syncs of the catalogue. The table is in
// docs/PERFORMANCE.md, and this says that it is true.

import Foundation
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("What operations cost")
struct CostTests {
    /// A row of the table: a name, and what it may cost at most; requests and syncs are exact.
    private struct Row {
        let name: String
        let requests: String
        let syncs: Int
        let reads: Int
        let transactions: Int
        let pages: Int

        init?(_ line: Substring) {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 6, let syncs = Int(cells[2]), let reads = Int(cells[3]),
                let transactions = Int(cells[4]), let pages = Int(cells[5])
            else { return nil }
            (name, requests, self.syncs) = (cells[0], cells[1], syncs)
            (self.reads, self.transactions, self.pages) = (reads, transactions, pages)
        }
    }

    private static func table() throws -> [String: Row] {
        let documents = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../docs/PERFORMANCE.md")
        let section = try String(contentsOf: documents, encoding: .utf8)
            .components(separatedBy: "## What operations cost").last?.components(separatedBy: "\n## ").first
        let rows = try #require(section).split(separator: "\n").compactMap { Row($0) }
        return Dictionary(rows.map { ($0.name, $0) }) { first, _ in first }
    }

    /// Compares what `body` costs with the table's row.
    private func check(
        _ name: String, _ table: inout [String: Row], _ system: TestFileSystem, _ body: () async throws -> Void
    ) async throws {
        let known = table.removeValue(forKey: name)
        let row = try #require(known, "no row: \(name)")
        let catalogue = try #require(system.core.catalogue.catalogue as? SQLiteCatalogue)
        // What was committed before is on the disk, and nothing of it follows.
        try catalogue.waitUntilDurable()
        try system.commitRecords()
        system.memory.forgetRequests()
        let before = catalogue.costs
        try await body()
        let syncs = catalogue.costs.syncs - before.syncs
        try system.commitRecords()
        let cost = catalogue.costs - before
        let requests = Dictionary(
            grouping: system.memory.requests.filter { !$0.key.hasPrefix(".backupfs/") }, by: \.method
        )
        .map { "\($0.value.count) \("\($0.key)".uppercased())" }.sorted().joined(separator: ", ")
        #expect((requests.isEmpty ? "0" : requests) == row.requests, "\(name): requests")
        #expect(syncs == row.syncs, "\(name): syncs")
        #expect(cost.reads <= row.reads, "\(name): reads")
        #expect(cost.transactions - 1 <= row.transactions, "\(name): transactions")
        #expect(cost.pages <= row.pages, "\(name): pages")
    }

    @Test(
        "The table in PERFORMANCE.md: requests and syncs as it says, reads, transactions and pages at most what it says"
    )
    func costs() async throws {
        try await TestFileSystem.run { system in
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            var table = try Self.table()
            _ = try system.makeDirectory("d")
            try await system.write("d/first.jpg", photo(1))
            let id = try system.id("d/first.jpg")
            try await check("create, write, close", &table, system) { try await system.write("d/a.jpg", photo(1)) }
            try await check("open, read, close of a file in main", &table, system) {
                _ = try await system.read("d/a.jpg")
            }
            try await check("stat", &table, system) { _ = try system.core.attributes(id) }
            try await check("chmod", &table, system) {
                _ = try system.core.setAttributes(id, AttributeChanges(mode: 0o600))
            }
            try await check("utimens", &table, system) {
                _ = try system.core.setAttributes(id, AttributeChanges(modified: .to(1_000_000_000)))
            }
            try await check("overwrite: open, write, close", &table, system) {
                let handle = try await system.open("d/a.jpg", writing: true, truncating: true)
                try await system.put(handle, photo(2))
                try await system.core.flush(handle)
                system.core.close(handle)
            }
            try await check("rename of a file that backup has", &table, system) {
                try system.rename("d/a.jpg", "d/b.jpg")
            }
            try await check("mkdir", &table, system) { _ = try system.makeDirectory("d/e") }
            try await check("read of a lost file", &table, system) {
                try system.lose("d/first.jpg")
                _ = try await system.read("d/first.jpg")
            }
            system.core.intents.finish()
            try await check("unlink", &table, system) { try system.remove("d/b.jpg") }
            #expect(table.isEmpty, "rows that nothing measured: \(table.keys)")
        }
    }
}
