// The read scenario, step by step as docs/SEMANTICS.md numbers it.

import Catalogue
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("The read scenario")
struct ReadTests {
    @Test("Read.2: a file that main has is read while backup hangs (I10)")
    func readFromMain() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            system.store.inject(.hang)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 0)
        }
    }

    @Test("Read.3-6: a missing main copy comes back from backup with the row's mode and time")
    func recovered() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("shop/a.jpg", photo(1))
            let time: Nanoseconds = 1_500_000_000_123_456_789
            _ = try system.core.setAttributes(
                system.id("shop/a.jpg"), AttributeChanges(mode: 0o604, modified: .to(time)))
            // With its directory.
            try system.lose("shop")
            let handle = try await system.open("shop/a.jpg")
            try system.commitRecords()
            #expect(try system.row("shop/a.jpg")?.inMain == false)
            #expect(try await system.content(handle) == photo(1))
            try system.commitRecords()
            #expect(try system.row("shop/a.jpg")?.inMain == true)
            #expect(system.inMain("shop/a.jpg") == photo(1))
            let status = try #require(handle.file.descriptor).status()
            #expect(status.st_mode & 0o7777 == 0o604 && Nanoseconds(status.st_mtim) == time)
            system.core.close(handle)
            #expect(try await system.core.operatorDesk.status().recoveries == .init(done: 1, failed: 0))
            #expect(try await system.read("shop/a.jpg") == photo(1))
            #expect(system.downloads == 1)
            #expect(try system.staged().isEmpty)
        }
    }

    @Test("Read.5: many readers of a missing file wait for one download")
    func oneDownload() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.get])
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 { group.addTask { try await system.read("a.jpg") } }
                await gate.reached()
                gate.open()
                for try await bytes in group { #expect(bytes == photo(1)) }
            }
            #expect(system.downloads == 1)
        }
    }

    @Test("Read.6: a download that is damaged once is fetched again, and nobody sees it (I4)")
    func damagedOnce() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            system.store.inject(.corrupt, on: [.get], count: 2)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 3)
        }
    }

    @Test(
        "Read.6: an object that is not what was uploaded is an error, never other bytes, and nothing of it is in main",
        arguments: [photo(2), photo(1) + [0], Array(photo(1).dropLast()), []])
    func damagedForGood(object: [UInt8]) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let key = try system.key("a.jpg")
            system.memory[key]?.bytes = object
            try system.lose("a.jpg")
            let failure = await #expect(throws: FileSystemError.self) { try await system.read("a.jpg") }
            guard case .backup(.corrupted(key, _)) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(system.inMain("a.jpg") == nil)
            #expect(try system.staged().isEmpty)
            #expect(try await system.core.operatorDesk.status().recoveries.failed == 1)
            #expect(try system.row("a.jpg")?.inBackup == true)
            system.memory[key]?.bytes = photo(1)
            #expect(try await system.read("a.jpg") == photo(1))
        }
    }

    @Test("Read.7: of a file that no storage has, the row says so; reading it is an error")
    func inNoStorage() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            system.memory[try system.key("a.jpg")] = nil
            try system.lose("a.jpg")
            await #expect(throws: FileSystemError.inNoStorage) { try await system.read("a.jpg") }
            let row = try #require(try system.row("a.jpg"))
            #expect(!row.inMain && !row.inBackup && row.status == .created)
            let leftovers = try await system.core.operatorDesk.leftovers()
            #expect(leftovers.map(\.reason) == ["in no storage"])
            #expect(leftovers.first?.lastError == "no storage has the file")
            // Read.4: the row is asked first.
            await #expect(throws: FileSystemError.inNoStorage) { try await system.read("a.jpg") }
            #expect(system.downloads == 1)
        }
    }

    @Test(
        "Read.5 fails: the read is an error, no row changes, and it works when backup does", arguments: [false, true])
    func storeFails(hanging: Bool) async throws {
        try await TestFileSystem.run(closeTimeout: hanging ? .milliseconds(400) : .seconds(120)) { system in
            try await system.eventually("it is backed up") {
                (try? await system.write("a.jpg", photo(1))) != nil
            }
            try system.lose("a.jpg")
            system.store.inject(hanging ? .hang : .fail(down), on: [.get])
            let failure = await #expect(throws: FileSystemError.self) { try await system.read("a.jpg") }
            if !hanging { #expect(failure == .backup(down)) }
            #expect(try system.row("a.jpg")?.inBackup == true)
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
            system.store.heal()
            try await system.eventually("it can be read") { (try? await system.read("a.jpg")) == photo(1) }
        }
    }

    @Test("Read.5: an empty file, which is never read, comes back when it is opened")
    func emptyFile() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.txt", [])
            try system.lose("a.txt")
            guard
                case .mustPrepare(let handle, _) = try system.core.open(
                    system.id("a.txt"), writing: false, truncating: false)
            else {
                Issue.record("it was not to be prepared")
                return
            }
            try await system.core.prepare(handle)
            #expect(handle.file.descriptor != nil)
            #expect(system.inMain("a.txt") == [])
            system.core.close(handle)
        }
    }

    @Test("Read.4: the copy in main is taken again if it is what the row says, without a download")
    func copyIsBack() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            system.store.inject(.fail(down), on: [.get])
            await #expect(throws: FileSystemError.backup(down)) { try await system.read("a.jpg") }
            try system.plant("a.jpg", photo(1))
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 0)
        }
    }

    @Test("I11: a link in the place of a main copy is not followed, but set aside")
    func linkInTheWay() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            try system.plant("elsewhere", photo(9))
            #expect(symlink(system.mainPath("elsewhere"), system.mainPath("a.jpg")) == 0)
            #expect(try await system.read("a.jpg") == photo(1))
            let handle = try await system.open("a.jpg", writing: true)
            try await system.put(handle, photo(2))
            system.core.close(handle)
            #expect(system.inMain("elsewhere") == photo(9))
            #expect(system.inMain("a.jpg") == photo(2))
        }
    }
}
