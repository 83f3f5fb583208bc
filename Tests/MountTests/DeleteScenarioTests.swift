// The delete scenario, step by step as docs/SEMANTICS.md numbers it, through a real mount.

import Foundation
import Glibc
import Testing

@Suite("The delete scenario")
struct DeleteScenarioTests {
    @Test("Delete.1-7: a deleted file is gone from mount, main and backup", arguments: BackupKind.available)
    func deletedIsGone(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try writeFile(sandbox.path("b.jpg"), photo(2))
            try remove(sandbox.path("a.jpg"))
            #expect(!exists(sandbox.path("a.jpg")))
            #expect(!exists(sandbox.mainPath("a.jpg")))
            #expect(throws: CallFailure(call: "unlink", code: ENOENT)) { try remove(sandbox.path("a.jpg")) }
            #expect(try names(in: sandbox.mountPoint) == ["b.jpg"])
            try sandbox.settle()
            #expect(try sandbox.backup.keys() == [sandbox.info("b.jpg").backupKey])
            #expect(try sandbox.status().resources.deleted == 1)
            #expect(try sandbox.leftovers().isEmpty)
            try sandbox.stop()
            try sandbox.start()
            #expect(try names(in: sandbox.mountPoint) == ["b.jpg"])
        }
    }

    @Test(
        "Delete.7: with the backup gone unlink succeeds; the leftover is cleaned by itself",
        arguments: BackupKind.available)
    func deleteWithoutBackup(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.backup.takeAway()
            try remove(sandbox.path("a.jpg"))
            #expect(!exists(sandbox.path("a.jpg")) && !exists(sandbox.mainPath("a.jpg")))
            try eventually("the failed removal is a leftover") { try !sandbox.leftovers().isEmpty }
            try eventually("it says why") { try sandbox.leftovers().first?.lastError != nil }
            let leftover = try #require(try sandbox.leftovers().first)
            #expect(leftover.key == "a.jpg")
            #expect(leftover.reason == "deleted, still stored")
            #expect(leftover.stored == Stored(main: false, backup: true))
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.leftovers().isEmpty)
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }

    @Test("clean shows with --dry-run what it would do, and then does it", arguments: BackupKind.available)
    func clean(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("deleted.jpg"), photo(1))
            try sandbox.backup.takeAway()
            try remove(sandbox.path("deleted.jpg"))
            #expect(failureOfWriting(sandbox.path("written.jpg"), photo(2))?.code == EIO)
            try eventually("both are leftovers") { try sandbox.leftovers().count == 2 }
            let plan = try sandbox.run([backupfs, "clean", "--dry-run", sandbox.mountPoint]).output
            #expect(plan.contains("deleted.jpg") && plan.contains("written.jpg"))
            #expect(try sandbox.leftovers().count == 2)
            // What it cannot do it says.
            #expect(try sandbox.outcome([backupfs, "clean", sandbox.mountPoint]).status == 1)
            try sandbox.backup.bringBack()
            try sandbox.run([backupfs, "clean", sandbox.mountPoint])
            #expect(try sandbox.leftovers().isEmpty)
            #expect(try sandbox.backup.keys() == [sandbox.info("written.jpg").backupKey])
            #expect(try sandbox.backedUp("written.jpg") == photo(2))
        }
    }

    @Test("Delete.5: a late removal does not touch a new file of the same name", arguments: BackupKind.available)
    func recreatedAtOnce(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.backup.takeAway()
            try remove(sandbox.path("a.jpg"))
            #expect(failureOfWriting(sandbox.path("a.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(2))
            #expect(try readFile(sandbox.mainPath("a.jpg")) == photo(2))
            #expect(try sandbox.backedUp("a.jpg") == photo(2))
            #expect(try sandbox.backup.keys().count == 1)
            for index in 3..<13 {
                try remove(sandbox.path("a.jpg"))
                try writeFile(sandbox.path("a.jpg"), photo(index))
            }
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(12))
            #expect(try readFile(sandbox.mainPath("a.jpg")) == photo(12))
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test(
        "Delete.5: nor does a DELETE that the server is slow to apply, or whose answer is lost",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"), arguments: ["delay", "lose-answer"])
    func slowRemoval(_ mode: String) async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.proxy.set(mode, method: "DELETE", count: 2, ms: 1500)
            try remove(sandbox.path("a.jpg"))
            try writeFile(sandbox.path("a.jpg"), photo(2))
            try eventually("the removal is on its way") { try sandbox.proxy.hits() > 0 }
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(2))
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("An unlinked file that is open can be used, and leaves nothing", arguments: BackupKind.available)
    func unlinkedWhileOpen(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDWR)
            let fresh = try OpenFile(sandbox.path("b.jpg"), O_RDWR | O_CREAT)
            try fresh.write(photo(2))
            try remove(sandbox.path("a.jpg"))
            try remove(sandbox.path("b.jpg"))
            #expect(try file.readAll() == photo(1))
            try file.write([1, 2, 3])
            try check("lseek", lseek(file.number, 0, SEEK_SET))
            #expect(try file.readAll() == photo(1) + [1, 2, 3])
            try file.close()
            try fresh.close()
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
            #expect(try filesBelow(sandbox.main).filter { !$0.hasPrefix(".backupfs") }.isEmpty)
        }
    }

    @Test("Delete.3: a main copy that somebody else removed before does not matter", arguments: BackupKind.available)
    func mainCopyGoneBefore(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try remove(sandbox.path("a.jpg"))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
            #expect(try sandbox.leftovers().isEmpty)
        }
    }

    @Test("A directory that is not empty cannot be removed; a tree can", arguments: BackupKind.available)
    func trees(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(
                "mkdir -p a/b/c; for n in 1 2 3; do echo $n > a/b/c/$n; echo $n > a/$n; done; ln -s b a/l")
            #expect(rmdir(sandbox.path("a/b")) == -1 && errno == ENOTEMPTY)
            try sandbox.shell("rm -r a")
            try sandbox.settle()
            #expect(try names(in: sandbox.mountPoint).isEmpty)
            #expect(try names(in: sandbox.main) == [".backupfs"])
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }
}
