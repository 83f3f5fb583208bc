// The write scenario, step by step as docs/SEMANTICS.md numbers it, through a real mount.

import Foundation
import Glibc
import Testing

/// A close that is meant to fail shall not keep the tests waiting.
let shortClose = ["--close-timeout", "5s"]

@Suite("The write scenario")
struct WriteScenarioTests {
    @Test("Write.1-5: a closed file is in its row, in main and in backup", arguments: BackupKind.available)
    func closedFileIsEverywhere(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            for size in [0, 1, 200_000, 3_000_000] {
                let bytes = photo(size, size: size)
                let name = "IMG_\(size).jpg"
                try writeFile(sandbox.path(name), bytes)
                let info = try sandbox.info(name)
                #expect(info.key == name)
                #expect(info.status == "created")
                #expect(info.stored == Stored(main: true, backup: true))
                #expect(info.size == size)
                #expect(info.version == 1)
                #expect(info.deletedAt == nil && info.lastError == nil)
                let checksum = try sha256(ofFile: sandbox.mainPath(name), in: sandbox)
                #expect(info.sha256 == checksum)
                #expect(try readFile(sandbox.mainPath(name)) == bytes)
                #expect(try sandbox.backedUp(name) == bytes)
                #expect(try readFile(sandbox.path(name)) == bytes)
                let key = try #require(info.backupKey)
                #expect(key.contains("IMG_\(size)~") && key.hasSuffix(".jpg"))
                #expect(try sandbox.attribute("user.backupfs.state", of: name) == "created")
                #expect(try sandbox.attribute("user.backupfs.key", of: name)?.hasSuffix(key) == true)
                #expect(try sandbox.attribute("user.backupfs.sha256", of: name) == checksum)
            }
            let status = try sandbox.status()
            #expect(status.main == sandbox.main && status.mountpoint == sandbox.mountPoint)
            #expect(status.backup.reachable && status.backup.lastError == nil)
            #expect(status.pending.uploads == 0 && status.leftovers == 0 && status.resources.creating == 0)
            #expect(try sandbox.leftovers().isEmpty)
            #expect(try sandbox.backup.keys().count == 4)
        }
    }

    @Test("Write.1: a name that exists is refused to an exclusive create", arguments: BackupKind.available)
    func duplicateIsRefused(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(throws: CallFailure(call: "open", code: EEXIST)) {
                try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_CREAT | O_EXCL).abandon()
            }
            // Of many programs that create one name, exactly one may win.
            let wins = concurrently(8) { _ in
                guard let file = try? OpenFile(sandbox.path("b.jpg"), O_WRONLY | O_CREAT | O_EXCL) else { return false }
                return (try? file.close()) != nil
            }
            #expect(wins.count { $0 } == 1)
        }
    }

    @Test("Write.4 fails: close says EIO, main keeps the data, it heals by itself", arguments: BackupKind.available)
    func failedBackupFailsTheClose(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("before.jpg"), photo(1))
            try sandbox.backup.takeAway()
            #expect(
                failureOfWriting(sandbox.path("lost.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
            #expect(try readFile(sandbox.mainPath("lost.jpg")) == photo(2))
            #expect(try readFile(sandbox.path("lost.jpg")) == photo(2))
            #expect(try readFile(sandbox.path("before.jpg")) == photo(1))
            // The close may give up a moment before the upload does, which then says why.
            try eventually("the row says why") { try sandbox.info("lost.jpg").lastError != nil }
            let info = try sandbox.info("lost.jpg")
            #expect(info.status == "creating")
            #expect(info.stored == Stored(main: true, backup: false))
            let leftovers = try sandbox.leftovers()
            #expect(leftovers.map(\.key) == ["lost.jpg"])
            #expect(leftovers.first?.reason == "not in backup")
            #expect(leftovers.first?.lastError != nil)
            #expect(leftovers.first?.stored == Stored(main: true, backup: false))
            let status = try sandbox.status()
            #expect(status.leftovers == 1)
            #expect(!status.backup.reachable && status.backup.lastError != nil)
            #expect(try sandbox.attribute("user.backupfs.state", of: "lost.jpg") == "pending")
            #expect(try sandbox.attribute("user.backupfs.error", of: "lost.jpg")?.isEmpty == false)
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.leftovers().isEmpty)
            #expect(try sandbox.info("lost.jpg").status == "created")
            #expect(try sandbox.backedUp("lost.jpg") == photo(2))
            #expect(try sandbox.attribute("user.backupfs.state", of: "lost.jpg") == "created")
            #expect(try sandbox.status().backup.reachable)
        }
    }

    @Test("Write.4 fails: no later close of the same data says 0 (I2)", arguments: BackupKind.available)
    func laterCloseDoesNotHideAFailure(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            // First of all: starting a program closes our files in the new process, and that is a close like any other.
            try sandbox.backup.takeAway()
            let first = try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_CREAT)
            let second = dup(first.number)
            try first.write(photo(1))
            #expect(close(second) == -1 && errno == EIO)
            #expect(throws: CallFailure(call: "fsync", code: EIO)) { try first.synchronize() }
            #expect(throws: CallFailure(call: "close", code: EIO)) { try first.close() }
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test("Write.4: fsync means backed up, before any close", arguments: BackupKind.available)
    func fsyncBacksUp(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let file = try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_CREAT)
            defer { file.abandon() }
            try file.write(photo(1))
            try file.synchronize()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
            try file.write(photo(2))
            try file.synchronize()
            #expect(try sandbox.backedUp("a.jpg") == photo(1) + photo(2))
        }
    }

    @Test("Write.5: an overwrite is a new object, and the old one goes", arguments: BackupKind.available)
    func overwriteIsANewObject(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            let first = try sandbox.info("a.jpg")
            try writeFile(sandbox.path("a.jpg"), photo(2, size: 1000))
            let second = try sandbox.info("a.jpg")
            #expect(second.backupKey != first.backupKey)
            #expect(second.version == 2 && second.size == 1000)
            #expect(try sandbox.backedUp("a.jpg") == photo(2, size: 1000))
            let file = try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_APPEND)
            try file.write([1, 2, 3])
            try file.close()
            #expect(try sandbox.backedUp("a.jpg") == photo(2, size: 1000) + [1, 2, 3])
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Write.4: truncate(2) returns when the shorter file is in backup", arguments: BackupKind.available)
    func truncateBacksUp(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            for size in [1000, 5000, 0] {
                try check("truncate", Int(truncate(sandbox.path("a.jpg"), size)))
                let expected = Array((photo(1, size: 1000) + Array(repeating: 0, count: 4000)).prefix(size))
                #expect(try sandbox.backedUp("a.jpg") == expected)
                #expect(try readFile(sandbox.path("a.jpg")) == expected)
                #expect(try readFile(sandbox.mainPath("a.jpg")) == expected)
            }
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDWR)
            try file.write(photo(3))
            try file.truncate(to: 777)
            try file.close()
            #expect(try sandbox.backedUp("a.jpg") == photo(3, size: 777))
            try sandbox.backup.takeAway()
            #expect(truncate(sandbox.path("a.jpg"), 5) == -1 && errno == EIO)
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == Array(photo(3).prefix(5)))
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Write.4: what was not changed is not uploaded again", arguments: BackupKind.available)
    func unchangedIsNotUploaded(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            let key = try sandbox.info("a.jpg").backupKey
            let puts = try sandbox.requests("PUT").count
            try OpenFile(sandbox.path("a.jpg"), O_WRONLY).close()
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDWR)
            #expect(try file.readAll() == photo(1))
            try file.synchronize()
            try file.close()
            try sandbox.shell("touch a.jpg; chmod 600 a.jpg; chown 1:1 a.jpg; touch -d 2001-02-03 a.jpg")
            try sandbox.shell("mv a.jpg b.jpg; truncate -s 200000 b.jpg; cat b.jpg > /dev/null")
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            #expect(try sandbox.info("b.jpg").backupKey == key)
            #expect(try sandbox.requests("PUT").count == puts)
        }
    }

    @Test("Write.4: what was written through a mapping is backed up", arguments: BackupKind.available)
    func mappedWritesAreBackedUp(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1, size: 8192))
            let script = """
                import mmap, os, sys
                fd = os.open(sys.argv[1], os.O_RDWR)
                m = mmap.mmap(fd, 8192)
                m[100:105] = b"HELLO"
                m.flush()
                os.fsync(fd)
                os.close(fd)
                """
            try sandbox.run(["python3", "-c", script, sandbox.path("a.jpg")])
            var expected = photo(1, size: 8192)
            expected.replaceSubrange(100..<105, with: Array("HELLO".utf8))
            #expect(try readFile(sandbox.path("a.jpg")) == expected)
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == expected)
        }
    }

    @Test("Write.4: an overwrite that fails leaves the last good object (I3)", arguments: BackupKind.available)
    func failedOverwriteKeepsTheOldObject(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            let key = try #require(try sandbox.info("a.jpg").backupKey)
            try sandbox.backup.takeAway()
            #expect(failureOfWriting(sandbox.path("a.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
            let info = try sandbox.info("a.jpg")
            #expect(info.backupKey == key && info.stored.backup)
            #expect(try sandbox.leftovers().map(\.key) == ["a.jpg"])
            #expect(try readFile(sandbox.path("a.jpg")) == photo(2))
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(2))
            #expect(try sandbox.info("a.jpg").backupKey != key)
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Write.4: a directory that is full as backup storage means EDQUOT")
    func fullDirectoryStore() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try check("mount", Int(mount("tmpfs", sandbox.scratch("backup"), "tmpfs", 0, "size=2m")))
            try sandbox.start(shortClose)
            try writeFile(sandbox.path("fits.jpg"), photo(1))
            let failure = failureOfWriting(sandbox.path("large.jpg"), photo(2, size: 4_000_000))
            #expect(failure == CallFailure(call: "close", code: EDQUOT))
            #expect(try sandbox.leftovers().map(\.key) == ["large.jpg"])
            #expect(try readFile(sandbox.path("large.jpg")) == photo(2, size: 4_000_000))
            try check("remount", Int(mount("", sandbox.scratch("backup"), "", UInt(MS_REMOUNT), "size=32m")))
            try sandbox.settle()
            #expect(try sandbox.backedUp("large.jpg") == photo(2, size: 4_000_000))
            // Nothing half-written was left behind in the store.
            #expect(try sandbox.backup.keys().count == 2)
        }
    }

    @Test(
        "Write.4: emptying a file whose main copy is missing is a change like any other",
        arguments: BackupKind.available)
    func emptiedWithoutMainCopy(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.shell(": > a.jpg")
            #expect(try sandbox.backedUp("a.jpg") == [])
            #expect(try sandbox.info("a.jpg").size == 0)
            #expect(try readFile(sandbox.path("a.jpg")) == [])
            #expect(try readFile(sandbox.mainPath("a.jpg")) == [])
        }
    }
}
