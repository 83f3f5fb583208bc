// `backupfs check --objects`: what somebody did to the bucket behind a mount is found and made good.

import Foundation
import Glibc
import Testing

@Suite("backupfs check --objects")
struct BucketCheckTests {
    private struct Finding: Decodable {
        var object: String
        var problem: String
        var key: String?
        var action: String
    }

    /// The key of the object that says whose the prefix is.
    private static func marker(of backup: Backup) -> String {
        let key = ".backupfs/catalogue.json"
        if case .s3(_, let prefix, _) = backup.place { return "\(prefix)/\(key)" }
        return key
    }

    @Test(
        "Lost objects are found, uploaded again from main, and told; foreign ones stay", arguments: BackupKind.available
    )
    func compared(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            // Stores differ in the order of these.
            let names = ["a/b.jpg", "a-b.jpg", "a.jpg", "a/b-c.jpg", "ä/%.jpg"]
            for directory in ["a", "ä"] { try makeDirectory(sandbox.path(directory)) }
            for (number, name) in names.enumerated() { try writeFile(sandbox.path(name), photo(number)) }
            try sandbox.settle()
            let sound = try sandbox.run([backupfs, "check", "--objects", sandbox.mountPoint]).output
            #expect(sound == "5 objects, 0 missing, 0 damaged, 0 unknown\n")

            let lost = try #require(try sandbox.info("a/b.jpg").backupKey)
            try sandbox.backup.removeObject(lost)
            let nowhere = try #require(try sandbox.info("a.jpg").backupKey)
            try sandbox.backup.removeObject(nowhere)
            unlink(sandbox.mainPath("a.jpg"))
            let outcome = try sandbox.outcome([backupfs, "check", "--objects", "--json", sandbox.mountPoint])
            #expect(outcome.status == 1)
            #expect(outcome.errors == "backupfs: backup storage lost 2 objects: see \"backupfs leftovers\"\n")
            let findings = try JSONDecoder().decode([Finding].self, from: Data(outcome.output.utf8))
            #expect(Set(findings.map(\.object)) == [lost, nowhere])
            #expect(findings.allSatisfy { $0.problem == "missing" })
            #expect(findings.first { $0.key == "a/b.jpg" }?.action == "uploaded again from main")
            #expect(findings.first { $0.key == "a.jpg" }?.action == "no storage has the file")

            try eventually("the file that main has is in backup again") {
                try sandbox.leftovers().map(\.key) == ["a.jpg"] && sandbox.status().pending.uploads == 0
            }
            #expect(try sandbox.backedUp("a/b.jpg") == photo(0))
            let status = try sandbox.run([backupfs, "status", sandbox.mountPoint]).output
            #expect(status.contains("3 objects, 2 missing, 0 damaged, 0 unknown on "), "\(status)")
        }
    }

    @Test("A bucket that was emptied: refused, and filled again with --new-bucket", arguments: BackupKind.available)
    func emptied(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.backup.removeObject(try #require(try sandbox.backup.keys().first))
            try sandbox.backup.removeObject(Self.marker(of: sandbox.backup))
            let refused = try sandbox.outcome([backupfs, "mount", sandbox.main, sandbox.mountPoint])
            #expect(refused.status == 1 && refused.errors.contains("--new-bucket"), "\(refused.errors)")
            try sandbox.start(["--new-bucket"])
            try eventually("the file is in backup again") { try sandbox.backedUp("a.jpg") == photo(1) }
            try sandbox.settle()
            try sandbox.stop()
            try sandbox.start()
            #expect(try sandbox.run([backupfs, "check", "--objects", sandbox.main]).output.contains(" 0 missing"))
        }
    }

    @Test("Not mounted: one line says so")
    func notMounted() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let outcome = try sandbox.outcome([backupfs, "check", "--objects", sandbox.main])
            #expect(outcome.status == 1 && outcome.output == "")
            #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        }
    }
}
