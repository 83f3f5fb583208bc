import Foundation
import GRDB
import TestSupport
import Testing

@testable import Catalogue

@Suite("A catalogue built from records")
struct CatalogueBuilderTests {
    /// Builds from records, mostly a thousand at a time, and gives the database to `body`.
    private func build(
        _ records: [JournalRecord], _ body: (Database, RestoreFindings) throws -> Void
    ) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "builder-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        let builder = try CatalogueBuilder(directory: descriptor)
        for start in stride(from: 0, to: records.count, by: 1000) {
            try builder.apply(Array(records[start..<min(start + 1000, records.count)]))
        }
        let findings = try builder.finish(RestoredEnd(settings: ["catalogue": "x"], lastChange: 9))
        let queue = try DatabaseQueue(path: directory.appending(path: "catalogue.sqlite").path)
        try queue.read { database in try body(database, findings) }
    }

    private func resource(
        _ id: Int64, _ kind: Resource.Kind, version: String? = nil, key: String? = nil, isDeleted: Bool = false
    ) -> JournalRecord {
        var state = JournalRecord.ResourceRecord(
            id: id, kind: kind, status: isDeleted ? .deleted : .created, mode: 0o644, uid: 1, gid: 2,
            size: version == nil ? 0 : 5, accessed: 1, modified: 2, changed: 3, createdAt: 4,
            target: kind == .symlink ? [0x78] : nil)
        if isDeleted { state.deletion = .init(time: 5, dentry: nil) }
        if let version, kind == .file { state.content = content(version, key) }
        return .resource(state)
    }

    private func content(_ version: String, _ key: String?) -> JournalRecord.Content {
        .init(id: version, key: key ?? "d/\(version)", size: 5, sha256: Array(repeating: 7, count: 32), point: nil)
    }

    /// Records as a bucket may hold them that somebody has written in: most fit together, many do not.
    private func records(_ random: inout SeededGenerator) -> [JournalRecord] {
        let kinds: [Resource.Kind] = [.file, .file, .file, .directory, .directory, .symlink]
        func number() -> Int64 { Int64.random(in: 1...60, using: &random) }
        func version() -> String { "v\(Int.random(in: 1...40, using: &random))" }
        func name() -> [UInt8] {
            let names = ["a", "b", "lost+found", "\(number())", "..", ".backupfs", "\(number())-v1", "x/y", ""]
            return Array((names.randomElement(using: &random) ?? "").utf8)
        }
        return (0..<Int.random(in: 1...400, using: &random)).map { _ in
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<7:
                let kind = kinds.randomElement(using: &random) ?? .file
                let key = Int.random(in: 0..<10, using: &random) == 0 ? "../\(number())" : nil
                return resource(
                    number(), kind, version: Bool.random(using: &random) ? version() : nil, key: key,
                    isDeleted: Int.random(in: 0..<8, using: &random) == 0)
            case 7: return .erasedResource(id: number())
            case 8..<15: return .name(parent: number(), name: name(), resource: number())
            case 15: return .removedName(parent: number(), name: name())
            case 16: return .xattr(resource: number(), name: name(), value: name())
            case 17: return .removedXattr(resource: number(), name: name())
            case 18:
                return .version(
                    .init(resource: number(), content: content(version(), nil), createdAt: 6, keptUntil: 7))
            default: return .removedVersion(id: version())
            }
        }
    }

    @Test("Whatever was told, rows refer to rows that are there, and everything has one way to the root")
    func anything() throws {
        for seed: UInt64 in 1...60 {
            var random = SeededGenerator(seed: seed)
            try build(records(&random)) { database, findings in
                let isWhole = try String.fetchAll(database, sql: "PRAGMA integrity_check")
                #expect(isWhole == ["ok"], "seed \(seed)")
                let dangling = try Row.fetchAll(database, sql: "PRAGMA foreign_key_check")
                #expect(dangling.isEmpty, "seed \(seed): \(dangling)")
                let reached = try Int64.fetchSet(
                    database,
                    sql: """
                        WITH RECURSIVE below (id) AS (
                            VALUES (1) UNION SELECT name.resource FROM below JOIN name ON name.parent = below.id)
                        SELECT id FROM below
                        """)
                let live = try Int64.fetchSet(database, sql: "SELECT id FROM resource WHERE status <> 'deleted'")
                #expect(reached == live && findings.resources == live.count, "seed \(seed)")
                for wrong in Self.wrong {
                    let rows = try Row.fetchAll(database, sql: wrong)
                    #expect(rows.isEmpty, "seed \(seed): \(wrong) \(rows)")
                }
            }
        }
    }

    /// Questions whose answers have to be empty.
    private static let wrong = [
        "SELECT id FROM resource WHERE id = 1 AND (kind <> 'directory' OR status <> 'created')",
        // Directories with two names, and links that are counted wrong.
        """
        SELECT resource FROM name WHERE resource IN (SELECT id FROM resource WHERE kind = 'directory')
            GROUP BY resource HAVING count(*) > 1
        """,
        """
        SELECT id, link_count FROM resource WHERE kind <> 'directory' AND status <> 'deleted'
            AND link_count <> (SELECT count(*) FROM name WHERE name.resource = resource.id)
        """,
        """
        SELECT id, link_count FROM resource WHERE kind = 'directory' AND status <> 'deleted'
            AND link_count <> 2 + (SELECT count(*) FROM name JOIN resource AS child ON child.id = name.resource
                WHERE name.parent = resource.id AND child.kind = 'directory')
        """,
        // Contents that nobody lives on, or two do, and such as could be somebody else's.
        """
        SELECT id FROM version WHERE state = 'stored'
            AND NOT EXISTS (SELECT 1 FROM resource WHERE resource.version = version.id AND id = version.resource)
        """,
        "SELECT version FROM resource WHERE version IS NOT NULL GROUP BY version HAVING count(*) > 1",
        """
        SELECT id FROM resource WHERE version IS NOT NULL
            AND version NOT IN (SELECT id FROM version WHERE state = 'stored')
        """,
        "SELECT id FROM version WHERE key LIKE '%..%'",
        "SELECT cookie FROM name WHERE name IN (x'2E2E', x'2E6261636B75706673') AND parent = 1 OR instr(name, '/') > 0",
        "SELECT status FROM tally WHERE number <> (SELECT count(*) FROM resource WHERE status = tally.status AND id <> 1)",
    ]

    @Test("A name that `lost+found` has already is not taken twice")
    func takenNames() throws {
        let records = [
            resource(1, .directory), resource(2, .directory), resource(3, .file, version: "v3"), resource(4, .file),
            resource(5, .symlink),
            .name(parent: 1, name: Array("lost+found".utf8), resource: 2),
            .name(parent: 2, name: Array("3-v3".utf8), resource: 4),
            .name(parent: 2, name: Array("5".utf8), resource: 4),
        ]
        try build(records) { database, findings in
            let names = try String.fetchAll(
                database, sql: "SELECT CAST(name AS TEXT) FROM name WHERE parent = 2 ORDER BY cookie")
            #expect(names == ["3-v3", "5", "3~2-v3", "5~2"])
            #expect(findings.orphans == 2)
        }
    }

    @Test("A file called `lost+found` in the root goes into the directory of that name")
    func fileOfThatName() throws {
        let records = [
            resource(1, .directory), resource(3, .file), resource(4, .file),
            .name(parent: 1, name: Array("lost+found".utf8), resource: 3),
        ]
        try build(records) { database, findings in
            let names = try String.fetchAll(
                database, sql: "SELECT CAST(name AS TEXT) FROM name ORDER BY cookie")
            #expect(names == ["lost+found", "3", "4"])
            #expect(findings.orphans == 2)
        }
    }

    @Test("A thousand orphans and rings are put right one by one, not each by a look at all")
    func manyOrphans() throws {
        var records = [resource(1, .directory)]
        for id: Int64 in 2...1001 {
            records.append(resource(id, .file))
        }
        for id: Int64 in stride(from: 2000, to: 3000, by: 2) {
            records += [
                resource(id, .directory), resource(id + 1, .directory),
                .name(parent: id, name: [0x61], resource: id + 1), .name(parent: id + 1, name: [0x62], resource: id),
            ]
        }
        try build(records) { _, findings in #expect(findings.orphans == 1500 && findings.resources == 2002) }
    }
}
