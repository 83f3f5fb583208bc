// A catalogue that is damaged, missing or not ours to read is never taken for an empty one (docs/OPERATIONS.md).

import Foundation
import Glibc
import Testing

@Suite("A catalogue that cannot be used")
struct CatalogueGuardTests {
    private func expectRefusal(_ sandbox: Sandbox, saying words: [String]) throws {
        let refusal = try sandbox.refusal()
        #expect(refusal.status == 1)
        #expect(refusal.errors.split(separator: "\n").count == 1)
        for word in words { #expect(refusal.errors.contains(word), "\(refusal.errors)") }
    }

    @Test("Damage is found at the start after an unclean stop, and nothing is changed", arguments: BackupKind.available)
    func damaged(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell("mkdir d; for i in $(seq 200); do ln -s target-$i d/link-$i; done")
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.start()
            try writeFile(sandbox.path("b.jpg"), photo(2))
            sandbox.kill9()
            let path = sandbox.mainPath(".backupfs/catalogue.sqlite")
            try sandbox.run(["sqlite3", path, "PRAGMA wal_checkpoint(TRUNCATE)"])
            let intact = try readFile(path)
            let page = 4096
            var bytes = intact
            for index in (3 * page)..<(bytes.count - 1) { bytes[index] = 0x5a }
            try writeFile(path, bytes)
            try expectRefusal(sandbox, saying: ["catalogue.sqlite is damaged", "prefix"])
            #expect(try readFile(path) == bytes)
            try writeFile(path, Array("no database, certainly not one of SQLite's".utf8))
            try expectRefusal(sandbox, saying: ["catalogue.sqlite is damaged"])
            try writeFile(path, intact)
            try sandbox.start()
            #expect(try readFile(sandbox.path("b.jpg")) == photo(2))
        }
    }

    @Test("One that has gone is not made anew", arguments: BackupKind.available)
    func missing(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try rename(sandbox.mainPath(".backupfs/catalogue.sqlite"), to: sandbox.scratch("kept"))
            try expectRefusal(sandbox, saying: ["no catalogue.sqlite"])
            #expect(!exists(sandbox.mainPath(".backupfs/catalogue.sqlite")))
            try rename(sandbox.scratch("kept"), to: sandbox.mainPath(".backupfs/catalogue.sqlite"))
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        }
    }

    @Test("One of a newer version is refused and left as it is", arguments: BackupKind.available)
    func newer(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.stop()
            let path = sandbox.mainPath(".backupfs/catalogue.sqlite")
            try sandbox.run(["sqlite3", path, "INSERT INTO grdb_migrations VALUES ('9 from the future')"])
            try expectRefusal(sandbox, saying: ["newer version"])
            try sandbox.run(["sqlite3", path, "DELETE FROM grdb_migrations WHERE identifier LIKE '9 %'"])
            try sandbox.start()
        }
    }
}
