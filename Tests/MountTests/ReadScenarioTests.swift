// The read scenario, step by step as docs/SEMANTICS.md numbers it, through a real mount.

import Foundation
import Glibc
import Testing

@Suite("The read scenario")
struct ReadScenarioTests {
    /// What can happen to a main copy behind the daemon's back.
    enum Harm: String, CaseIterable, Sendable {
        case removed
        case emptied
        case truncated
        case grown
        case overwritten
        case replaced
        case directoryRemoved

        func happen(to path: String, in sandbox: Sandbox) throws {
            switch self {
            case .removed: try remove(path)
            case .emptied: try check("truncate", Int(truncate(path, 0)))
            case .truncated: try check("truncate", Int(truncate(path, 70_001)))
            case .grown:
                let file = try OpenFile(path, O_WRONLY | O_APPEND)
                try file.write([0])
                try file.close()
            case .overwritten:
                let file = try OpenFile(path, O_WRONLY)
                try check("lseek", lseek(file.number, 99_999, SEEK_SET))
                try file.write([1, 2, 3, 4])
                try file.close()
            case .replaced:
                try writeFile(path + ".new", photo(99))
                try rename(path + ".new", to: path)
            case .directoryRemoved:
                try sandbox.run(["rm", "-r", (path as NSString).deletingLastPathComponent])
            }
        }
    }

    @Test(
        "Read.2-6: a main copy that is lost or damaged is recovered, and the read is right",
        arguments: BackupKind.available, Harm.allCases)
    func harmedCopyIsRecovered(_ kind: BackupKind, _ harm: Harm) async throws {
        try await Sandbox.run(kind) { sandbox in
            try makeDirectory(sandbox.path("d"))
            try writeFile(sandbox.path("d/a.jpg"), photo(1), mode: 0o640)
            try sandbox.shell("touch -d '2010-11-12 13:14:15.123456789' d/a.jpg")
            let before = try status(sandbox.path("d/a.jpg"))
            // A fresh daemon and a fresh kernel cache: what is read comes from main or from backup.
            try sandbox.stop()
            try harm.happen(to: sandbox.mainPath("d/a.jpg"), in: sandbox)
            try sandbox.start()
            #expect(try readFile(sandbox.path("d/a.jpg")) == photo(1))
            let main = try status(sandbox.mainPath("d/a.jpg"))
            #expect(try readFile(sandbox.mainPath("d/a.jpg")) == photo(1))
            #expect(main.st_mode == before.st_mode)
            #expect(main.st_mtim.tv_sec == before.st_mtim.tv_sec && main.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
            #expect(try sandbox.info("d/a.jpg").stored == Stored(main: true, backup: true))
            #expect(try sandbox.status().recoveries.done == 1)
            try sandbox.settle()
            #expect(try sandbox.backedUp("d/a.jpg") == photo(1))
            #expect(try sandbox.info("d/a.jpg").version == 1)
        }
    }

    @Test(
        "Read.2-6: the same while the daemon runs and knows the file",
        arguments: BackupKind.available, [Harm.removed, .truncated, .overwritten, .replaced])
    func harmedUnderTheRunningDaemon(_ kind: BackupKind, _ harm: Harm) async throws {
        try await Sandbox.run(kind) { sandbox in
            try makeDirectory(sandbox.path("d"))
            try writeFile(sandbox.path("d/a.jpg"), photo(1))
            #expect(try readFile(sandbox.path("d/a.jpg")) == photo(1))
            try harm.happen(to: sandbox.mainPath("d/a.jpg"), in: sandbox)
            #expect(try readFile(sandbox.path("d/a.jpg")) == photo(1))
            try sandbox.settle()
            #expect(try sandbox.backedUp("d/a.jpg") == photo(1))
            #expect(try sandbox.info("d/a.jpg").version == 1)
        }
    }

    @Test("Read.2: what was damaged is set aside, not thrown away")
    func damagedCopyIsSetAside() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try writeFile(sandbox.mainPath("a.jpg"), photo(2))
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            let aside = try filesBelow(sandbox.mainPath(".backupfs/aside"))
            #expect(aside.count == 1)
            #expect(try readFile(sandbox.mainPath(".backupfs/aside/\(aside[0])")) == photo(2))
        }
    }

    @Test(
        "Read.5: many readers of one missing file cause one download",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"), arguments: [2, 16])
    func oneDownloadForManyReaders(_ count: Int) async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1, size: 3_000_000))
            try remove(sandbox.mainPath("a.jpg"))
            // The download waits until all have asked.
            try sandbox.proxy.set("delay", method: "GET", ms: 1500)
            let results = concurrently(count) { _ in try? readFile(sandbox.path("a.jpg")) }
            #expect(results.allSatisfy { $0 == photo(1, size: 3_000_000) })
            #expect(try sandbox.requests("GET").count == 1)
            #expect(try sandbox.status().recoveries.done == 1)
        }
    }

    @Test("Read.7: what no storage has is EIO, and the row says so", arguments: BackupKind.available)
    func inNoStorage(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try writeFile(sandbox.path("b.jpg"), photo(2))
            let key = try #require(try sandbox.info("a.jpg").backupKey)
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.backup.removeObject(key)
            #expect(failureOfReading(sandbox.path("a.jpg"))?.code == EIO)
            let info = try sandbox.info("a.jpg")
            #expect(info.stored == Stored(main: false, backup: false))
            #expect(try sandbox.leftovers().map(\.key) == ["a.jpg"])
            #expect(try sandbox.leftovers().first?.reason == "in no storage")
            #expect(try sandbox.status().recoveries.failed >= 1)
            #expect(try readFile(sandbox.path("b.jpg")) == photo(2))
            // It can be written anew.
            try writeFile(sandbox.path("a.jpg"), photo(3))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(3))
            #expect(try sandbox.backedUp("a.jpg") == photo(3))
            #expect(try sandbox.leftovers().isEmpty)
        }
    }

    @Test("Read.5: a backup that cannot be reached is not a backup without the file", arguments: BackupKind.available)
    func unreachableIsNotAbsent(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.backup.takeAway()
            #expect(failureOfReading(sandbox.path("a.jpg"))?.code == EIO)
            #expect(try sandbox.info("a.jpg").stored == Stored(main: false, backup: true))
            try sandbox.backup.bringBack()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        }
    }

    @Test("Read.5: a write into a missing main copy keeps what it does not overwrite", arguments: BackupKind.available)
    func writeIntoMissingCopy(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            let file = try OpenFile(sandbox.path("a.jpg"), O_WRONLY)
            try check("lseek", lseek(file.number, 100_000, SEEK_SET))
            try file.write([9, 9, 9])
            try file.close()
            var expected = photo(1)
            expected.replaceSubrange(100_000..<100_003, with: [9, 9, 9])
            #expect(try readFile(sandbox.path("a.jpg")) == expected)
            #expect(try sandbox.backedUp("a.jpg") == expected)
        }
    }

    @Test("Many missing main copies are recovered by many readers at once", arguments: BackupKind.available)
    func manyMissing(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            for index in 0..<24 { try writeFile(sandbox.path("\(index).jpg"), photo(index)) }
            try sandbox.stop()
            for index in 0..<24 { try remove(sandbox.mainPath("\(index).jpg")) }
            try sandbox.start()
            let results = concurrently(24) { index in try? readFile(sandbox.path("\(index).jpg")) }
            for (index, bytes) in results.enumerated() { #expect(bytes == photo(index)) }
            #expect(try sandbox.status().recoveries.done == 24)
        }
    }
}
