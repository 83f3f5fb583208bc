// Calls that are easy to get wrong: each once said 0, or something untrue, where it must not (I1, I2, I4, I8, I11).

import Foundation
import Glibc
import Testing

@Suite("Calls that say what is true")
struct HonestCallTests {
    @Test("Write.4: a file that is emptied while main has lost it is backed up empty", arguments: BackupKind.available)
    func emptiedWithoutMain(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            for name in ["opened", "truncated"] {
                try writeFile(sandbox.path(name), photo(1))
                try remove(sandbox.mainPath(name))
            }
            let file = try OpenFile(sandbox.path("opened"), O_WRONLY | O_TRUNC)
            try file.close()
            try check("truncate", Int(truncate(sandbox.path("truncated"), 0)))
            for name in ["opened", "truncated"] {
                #expect(try status(sandbox.path(name)).st_size == 0)
                #expect(try sandbox.backedUp(name) == [])
            }
            try sandbox.stop()
            try sandbox.start()
            for name in ["opened", "truncated"] { #expect(try readFile(sandbox.path(name)) == []) }
        }
    }

    @Test(
        "Write.4: after a truncate that failed everybody sees the length that main has", arguments: BackupKind.available
    )
    func failedTruncate(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["--close-timeout", "1"]) { sandbox in
            let content = photo(1, size: 50_000)
            try writeFile(sandbox.path("a"), content)
            #expect(try readFile(sandbox.path("a")) == content)
            try sandbox.backup.takeAway()
            #expect(truncate(sandbox.path("a"), 100) == -1 && errno == EIO)
            #expect(try status(sandbox.path("a")).st_size == 100)
            #expect(try readFile(sandbox.path("a")) == Array(content[..<100]))
            try sandbox.backup.bringBack()
            try sandbox.settle()
            let file = try OpenFile(sandbox.path("a"), O_WRONLY | O_APPEND)
            try file.write([1, 2, 3])
            try file.close()
            #expect(try sandbox.backedUp("a") == Array(content[..<100]) + [1, 2, 3])
        }
    }

    @Test(
        "Write.4: fsync through a descriptor that only reads answers for the file (I1)", arguments: BackupKind.available
    )
    func readOnlySync(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["--close-timeout", "1"]) { sandbox in
            try sandbox.backup.takeAway()
            #expect(failureOfWriting(sandbox.path("a"), photo(1))?.code == EIO)
            let file = try OpenFile(sandbox.path("a"), O_RDONLY)
            #expect(throws: CallFailure(call: "fsync", code: EIO)) { try file.synchronize() }
            try sandbox.backup.bringBack()
            try eventually("fsync succeeds again") { (try? file.synchronize()) != nil }
            file.abandon()
            #expect(try sandbox.backedUp("a") == photo(1))
        }
    }

    @Test(
        "Write.1-5: a file that is made by a descriptor that only reads is backed up", arguments: BackupKind.available)
    func createdForReading(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let file = try OpenFile(sandbox.path("lock"), O_RDONLY | O_CREAT)
            try file.close()
            #expect(try sandbox.info("lock").status == "created")
            #expect(try sandbox.backedUp("lock") == [])
        }
    }

    @Test(
        "SetAttributes.2: a link in the place of a file leads no chmod out of MAIN (I11)",
        arguments: [BackupKind.directory])
    func linkedOut(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let outside = sandbox.scratch("outside")
            try writeFile(outside, photo(2), mode: 0o600)
            try makeDirectory(sandbox.path("d"))
            try writeFile(sandbox.path("a"), photo(1))
            try sandbox.stop()
            try sandbox.start()
            try remove(sandbox.mainPath("a"))
            try check("symlink", Int(symlink(outside, sandbox.mainPath("a"))))
            try check("rmdir", Int(rmdir(sandbox.mainPath("d"))))
            try check("symlink", Int(symlink(outside, sandbox.mainPath("d"))))
            try sandbox.shell("chmod 666 a; chmod 777 d")
            #expect(try status(outside).st_mode & 0o777 == 0o600)
            #expect(try status(sandbox.path("a")).st_mode & 0o777 == 0o666)
            #expect(try readFile(sandbox.path("a")) == photo(1))
            #expect(try readFile(outside) == photo(2))
        }
    }

    @Test(
        "A file that was never in backup and that main has lost stays, as a leftover (I8)",
        arguments: BackupKind.available)
    func lostBeforeBackup(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: ["--close-timeout", "1"]) { sandbox in
            try sandbox.backup.takeAway()
            #expect(failureOfWriting(sandbox.path("a"), photo(1))?.code == EIO)
            try remove(sandbox.mainPath("a"))
            sandbox.kill9()
            try sandbox.backup.bringBack()
            try sandbox.start()
            #expect(try names(in: sandbox.mountPoint) == ["a"])
            try eventually("it is a leftover") { try sandbox.leftovers().map(\.key) == ["a"] }
            try remove(sandbox.path("a"))
            try sandbox.settle()
        }
    }

    @Test("A rename is followed once, also if the daemon dies right after it and the name is used again")
    func renameThenKill() async throws {
        try await Sandbox.run(.directory) { sandbox in
            for round in 0..<5 {
                try writeFile(sandbox.path("a"), photo(round))
                try writeFile(sandbox.path("b"), photo(100 + round))
                try rename(sandbox.path("a"), to: sandbox.path("b"))
                try writeFile(sandbox.path("a"), photo(200 + round))
                sandbox.kill9()
                try sandbox.start()
                #expect(try readFile(sandbox.path("b")) == photo(round))
                #expect(try readFile(sandbox.path("a")) == photo(200 + round))
                #expect(try readFile(sandbox.mainPath("b")) == photo(round))
                #expect(try sandbox.status().recoveries.done == 0)
            }
        }
    }
}
