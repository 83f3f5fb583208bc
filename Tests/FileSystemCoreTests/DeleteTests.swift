// The delete scenario, step by step as docs/SEMANTICS.md numbers it.

import Foundation
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("The delete scenario")
struct DeleteTests {
    @Test("Delete.1: what is not there, or is something else, is refused")
    func refused() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("shop/a.jpg", photo(1))
            #expect(throws: FileSystemError.catalogue(.noSuchResource)) { try system.remove("b.jpg") }
            #expect(throws: FileSystemError.catalogue(.isDirectory)) { try system.remove("shop") }
            #expect(throws: FileSystemError.catalogue(.notEmpty)) { try system.remove("shop", directory: true) }
            #expect(throws: FileSystemError.catalogue(.notDirectory)) {
                try system.remove("shop/a.jpg", directory: true)
            }
            try system.remove("shop/a.jpg")
            #expect(throws: FileSystemError.catalogue(.noSuchResource)) { try system.remove("shop/a.jpg") }
        }
    }

    @Test("Delete.2-6: a deleted file is gone from its name, from main and from backup; its row stays")
    func deleted() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            try system.remove("a.jpg")
            #expect(try system.row("a.jpg") == nil)
            #expect(system.inMain("a.jpg") == nil)
            try await system.settle()
            #expect(system.keys.isEmpty)
            let row = try system.row(id)
            #expect(row.status == .deleted && row.deletedAt != nil)
            #expect(!row.inMain && !row.inBackup && row.version == nil)
            let info = try await system.core.operatorDesk.info(path: Array("a.jpg".utf8))
            #expect(info.status == .deleted && info.stored == StoredIn(main: false, backup: false))
        }
    }

    @Test("Delete.5 fails: the delete succeeds, the object is a leftover, and goes when it can (I5)")
    func backupFails() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            let rule = system.store.inject(.fail(down), on: [.delete])
            try system.remove("a.jpg")
            try await system.eventually("its removal was tried, and the row says why it failed") {
                try rule.hits > 0 && system.row(id).lastError != nil
            }
            let leftovers = try await system.core.operatorDesk.leftovers()
            #expect(leftovers.map(\.reason) == ["deleted, still stored"])
            #expect(leftovers.first?.key == "a.jpg" && leftovers.first?.lastError == "\(down)")
            #expect(leftovers.first?.stored == StoredIn(main: false, backup: true))
            #expect(system.core.counters.now.removalsFailed > 0)
            #expect(try system.row("a.jpg") == nil)
            system.store.heal()
            try await system.settle()
            #expect(system.keys.isEmpty)
        }
    }

    @Test("Delete.3 fails: the delete succeeds, the main copy is a leftover, and goes when it can")
    func mainFails() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("shop/a.jpg", photo(1))
            let id = try system.id("shop/a.jpg")
            // A file in the place of its directory.
            rename(system.mainPath("shop"), system.mainPath("moved"))
            try system.plant("shop", photo(9))
            try system.remove("shop/a.jpg")
            try await system.eventually("backup is cleaned all the same") { system.keys.isEmpty }
            try await system.eventually("main is not") {
                try await system.core.operatorDesk.leftovers().map(\.stored) == [StoredIn(main: true, backup: false)]
            }
            #expect(try system.row(id).lastError?.contains("main storage") == true)
            try system.lose("shop")
            rename(system.mainPath("moved"), system.mainPath("shop"))
            try await system.settle()
            #expect(system.inMain("shop/a.jpg") == nil)
            #expect(!(try system.row(id).inMain))
        }
    }

    @Test("Delete.3: something in the place of the main copy that nobody knows is kept aside")
    func unknownDirectoryInTheWay() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            try FileManager.default.createDirectory(
                atPath: system.mainPath("a.jpg"), withIntermediateDirectories: false)
            try system.plant("a.jpg/inner", photo(9))
            try system.remove("a.jpg")
            try await system.settle()
            #expect(!FileManager.default.fileExists(atPath: system.mainPath("a.jpg")))
            #expect(try system.aside().count == 1)
        }
    }

    @Test("I5: a name can be used again at once, and a late removal does not touch the new file")
    func nameIsReusable() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let old = try system.key("a.jpg")
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.delete])
            try system.remove("a.jpg")
            await gate.reached()
            try await system.write("a.jpg", photo(2))
            gate.open()
            try await system.settle()
            #expect(system.memory[old] == nil)
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(system.inMain("a.jpg") == photo(2))
        }
    }

    @Test("I5: a late removal from main does not touch the new file of that name")
    func lateRemovalFromMain() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let old = try system.id("a.jpg")
            let before = try system.row(old)
            try system.remove("a.jpg")
            try await system.write("a.jpg", photo(2))
            // As after a crash that had only recorded the delete.
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.markMainCopy(old, inode: before.mainInode, modified: before.mainModified)
            }
            await system.core.remover.finishDeletes([try system.row(old)])
            try system.commitRecords()
            #expect(!(try system.row(old).inMain))
            #expect(system.inMain("a.jpg") == photo(2))
        }
    }

    @Test("Delete.5: a file that is open is read to its end, and its object goes after the last close")
    func openWhileDeleted() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let handle = try await system.open("a.jpg")
            try system.remove("a.jpg")
            try await system.eventually("main's name is free") { system.inMain("a.jpg") == nil }
            #expect(try await system.content(handle) == photo(1))
            #expect(system.keys.count == 1)
            system.core.close(handle)
            try await system.settle()
            #expect(system.keys.isEmpty)
        }
    }

    @Test("Delete.5: a deleted open file whose main copy was missing is read from backup, and main gets nothing")
    func recoveredWhileDeleted() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            let handle = try await system.open("a.jpg")
            try system.remove("a.jpg")
            #expect(try await system.content(handle) == photo(1))
            #expect(system.inMain("a.jpg") == nil)
            system.core.close(handle)
            try await system.settle()
            #expect(system.keys.isEmpty)
        }
    }

    @Test("Delete.2: what is written to a deleted file is not uploaded, and its close says 0")
    func writtenAfterDelete() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let handle = try await system.open("a.jpg", writing: true)
            try system.remove("a.jpg")
            try await system.put(handle, photo(2))
            try await system.core.flush(handle)
            #expect(try await system.content(handle) == photo(2))
            system.core.close(handle)
            try await system.settle()
            #expect(system.uploads.count == 1 && system.keys.isEmpty)
        }
    }

    @Test("Delete.2: a file that is deleted while its upload is under way stays deleted, and its object goes")
    func deletedDuringUpload() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"))
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            async let close: Void = system.core.flush(handle)
            await gate.reached()
            try system.remove("a.jpg")
            gate.open()
            try await close
            system.core.close(handle)
            try await system.settle()
            #expect(try system.row("a.jpg") == nil)
            #expect(system.keys.isEmpty)
            #expect(!(try system.row(handle.file.id).inBackup))
        }
    }

    @Test("Delete.5: a file that never was in backup leaves nothing there, also if an answer was lost")
    func neverBackedUp() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.loseAnswer, on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(1)) }
            #expect(system.keys.count == 1)
            try system.remove("a.jpg")
            try await system.eventually("its object is removed") { system.keys.isEmpty }
            #expect(try await system.core.operatorDesk.status().resources == .init(creating: 0, created: 0, deleted: 1))
        }
    }
}
