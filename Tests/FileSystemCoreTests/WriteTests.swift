// The write scenario, step by step as docs/SEMANTICS.md numbers it.

import Catalogue
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("The write scenario")
struct WriteTests {
    @Test("Write.1-5: a closed file is in its row, in main and in backup", arguments: [0, 1, 100_000])
    func closedFileIsEverywhere(size: Int) async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            let bytes = photo(1, size: size)
            try await system.write("shop/IMG 1.jpg", bytes)
            let row = try #require(try system.row("shop/IMG 1.jpg"))
            #expect(row.status == .created && row.inMain && row.inBackup && !row.needsUpload)
            #expect(row.size == Int64(size) && row.lastError == nil && row.deletedAt == nil)
            #expect(system.inMain("shop/IMG 1.jpg") == bytes)
            let key = try system.key("shop/IMG 1.jpg")
            #expect(key.hasPrefix("shop/IMG_1~") && key.hasSuffix(".jpg"))
            let object = try #require(system.memory[key])
            #expect(object.bytes == bytes)
            #expect(object.attributes.contentType == "image/jpeg")
            #expect(object.attributes.metadata["backupfs-path"] == "shop/IMG%201.jpg")
            #expect(object.attributes.metadata["backupfs-id"] == "\(row.id.rawValue)")
            #expect(object.attributes.metadata["backupfs-sha256"] == ContentDigests(of: bytes).sha256Hex)
            #expect(object.attributes.metadata["mode"] == "\(UInt32(S_IFREG) | 0o640)")
            #expect(try await system.read("shop/IMG 1.jpg") == bytes)
            #expect(system.uploads == [key])
        }
    }

    @Test("Write.1: a name that exists is refused, and nothing of it changes")
    func duplicateIsRefused() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let before = try system.row("a.jpg")
            #expect(throws: FileSystemError.catalogue(.nameTaken)) { try system.create("a.jpg") }
            #expect(try system.row("a.jpg") == before)
            #expect(system.inMain("a.jpg") == photo(1))
        }
    }

    @Test("Write.1: of many who create one name at once, exactly one does")
    func oneCreatorWins() async throws {
        try await TestFileSystem.run { system in
            let wins = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        guard let handle = try? system.create("a.jpg") else { return false }
                        system.core.close(handle)
                        return true
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
        }
    }

    @Test("Write.1: no file takes the name of BackupFS, or one that is too long")
    func refusedNames() async throws {
        try await TestFileSystem.run { system in
            #expect(throws: FileSystemError.reservedName) { try system.create(".backupfs") }
            let long = String(repeating: "n", count: 256)
            #expect(throws: FileSystemError.nameTooLong) { try system.create(long) }
            try await system.write(String(long.dropLast()), photo(1))
            #expect(try await system.core.operatorDesk.status().resources.created == 1)
        }
    }

    @Test("Write.2: what main holds under the name, and no row knows, is set aside")
    func unknownFileIsSetAside() async throws {
        try await TestFileSystem.run { system in
            try system.plant("a.jpg", photo(9))
            try await system.write("a.jpg", photo(1))
            #expect(system.inMain("a.jpg") == photo(1))
            #expect(try system.aside() == [photo(9)])
        }
    }

    @Test("Write.2 fails: the row is taken back, and the name is free")
    func failedCreateLeavesNothing() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try system.lose("shop")
            try system.plant("shop", photo(9))
            #expect(throws: FileSystemError.main(errno: ENOTDIR, during: "opening a directory")) {
                try system.create("shop/a.jpg")
            }
            #expect(try system.row("shop/a.jpg") == nil)
            #expect(try await system.core.operatorDesk.status().resources.creating == 0)
            try system.lose("shop")
            try await system.write("shop/a.jpg", photo(1))
            #expect(system.inMain("shop/a.jpg") == photo(1))
        }
    }

    @Test("Write.3: before its close a file is in main, waits for its upload, and is no leftover")
    func openFileIsWorkInProgress() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            try system.commitRecords()
            let row = try #require(try system.row("a.jpg"))
            #expect(row.status == .creating && row.inMain && row.needsUpload && !row.inBackup)
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
            #expect(try await system.core.operatorDesk.status().pending.uploads == 1)
            #expect(system.uploads.isEmpty)
            try await system.core.flush(handle)
            system.core.close(handle)
            #expect(try system.row("a.jpg")?.status == .created)
        }
    }

    @Test("Write.4: many files at once are all in backup when their closes return")
    func manyAtOnce() async throws {
        try await TestFileSystem.run { system in
            try await withThrowingTaskGroup { group in
                for index in 0..<40 {
                    group.addTask {
                        try await system.write("\(index).jpg", photo(index))
                        #expect(try system.inBackup("\(index).jpg") == photo(index))
                    }
                }
                try await group.waitForAll()
            }
            #expect(system.keys.count == 40)
        }
    }

    @Test("Write.4: a file that was opened for writing and not changed is not uploaded again")
    func unchangedIsNotUploaded() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let handle = try await system.open("a.jpg", writing: true)
            #expect(system.core.isClean(handle))
            try await system.core.flush(handle)
            // The length it has already.
            try system.core.truncateOpen(handle, to: 5000)
            try await system.core.flush(handle)
            system.core.close(handle)
            try await system.core.truncate(system.id("a.jpg"), to: 5000)
            #expect(system.uploads.count == 1)
        }
    }

    @Test("Write.4: truncate returns when the new version is in backup; the old one goes", arguments: [0, 100, 9000])
    func truncated(size: Int) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.core.truncate(system.id("a.jpg"), to: Int64(size))
            let expected = Array(photo(1).prefix(size)) + [UInt8](repeating: 0, count: max(0, size - 5000))
            #expect(try system.inBackup("a.jpg") == expected)
            #expect(system.inMain("a.jpg") == expected)
            try await system.settle()
            #expect(system.keys == [try system.key("a.jpg")])
        }
    }

    @Test("Write.4: two closes at once share one upload")
    func closesShareAnUpload() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            let one = try system.create("a.jpg")
            let other = try await system.open("a.jpg", writing: true)
            try await system.put(one, photo(1))
            async let first: Void = system.core.flush(one)
            async let second: Void = system.core.flush(other)
            await gate.reached()
            gate.open()
            _ = try await (first, second)
            system.core.close(one)
            system.core.close(other)
            #expect(system.uploads.count == 1)
            #expect(try system.inBackup("a.jpg") == photo(1))
        }
    }

    @Test("Write.5: an overwritten file has its new version in backup, and only that")
    func overwritten() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let old = try system.key("a.jpg")
            try await system.write("a.jpg", photo(2, size: 300))
            #expect(try system.inBackup("a.jpg") == photo(2, size: 300))
            #expect(try await system.core.operatorDesk.info(path: Array("a.jpg".utf8)).version == 2)
            try await system.settle()
            #expect(system.memory[old] == nil && system.keys.count == 1)
        }
    }
}
