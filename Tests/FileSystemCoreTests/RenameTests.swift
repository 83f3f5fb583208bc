// Renames: exactly one of both names exists at any time, the target is never absent, and backup is not asked.

import Foundation
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("The rename scenario")
struct RenameTests {
    @Test("Rename.1-3: a renamed file keeps its object, and main follows")
    func renamed() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("a.jpg", photo(1))
            let (id, key) = (try system.id("a.jpg"), try system.key("a.jpg"))
            system.store.inject(.hang)
            try system.rename("a.jpg", "shop/b.jpg")
            system.store.heal()
            #expect(try system.row("a.jpg") == nil)
            #expect(try system.id("shop/b.jpg") == id)
            #expect(try system.key("shop/b.jpg") == key && system.uploads.count == 1)
            #expect(system.inMain("a.jpg") == nil && system.inMain("shop/b.jpg") == photo(1))
            system.core.intents.finish()
            try system.commitRecords()
            #expect(try intents(system) == 0)
        }
    }

    @Test("Rename.1: over an existing file that file is deleted, and its object goes")
    func overAnExistingFile() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            let replaced = try system.id("b.jpg")
            try system.rename("a.jpg", "b.jpg")
            #expect(try await system.read("b.jpg") == photo(1))
            try await system.settle()
            #expect(system.inMain("b.jpg") == photo(1) && system.inMain("a.jpg") == nil)
            #expect(system.keys == [try system.key("b.jpg")])
            let row = try system.row(replaced)
            #expect(row.status == .deleted && !row.inMain && !row.inBackup)
        }
    }

    @Test("Rename.1: a directory moves with everything below it, and a missing file is recovered to its new place")
    func directory() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try system.makeDirectory("shop/2023")
            try await system.write("shop/2023/a.jpg", photo(1))
            try system.lose("shop/2023/a.jpg")
            try system.makeDirectory("old")
            // An empty directory at the target is replaced.
            try system.makeDirectory("old/shop")
            try system.rename("shop", "old/shop")
            #expect(try system.row("shop") == nil)
            #expect(try await system.read("old/shop/2023/a.jpg") == photo(1))
            #expect(system.inMain("old/shop/2023/a.jpg") == photo(1))
            #expect(throws: FileSystemError.catalogue(.wouldLoop)) { try system.rename("old", "old/shop/old") }
            #expect(throws: FileSystemError.catalogue(.notEmpty)) {
                try system.makeDirectory("other")
                try system.rename("other", "old")
            }
        }
    }

    @Test("Rename.1: noReplace refuses a name that exists, and nothing changes")
    func noReplace() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            #expect(throws: FileSystemError.catalogue(.nameTaken)) {
                try system.rename("a.jpg", "b.jpg", noReplace: true)
            }
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try await system.read("b.jpg") == photo(2))
            try system.rename("a.jpg", "c.jpg", noReplace: true)
            #expect(system.inMain("c.jpg") == photo(1))
        }
    }

    @Test("Rename.1: onto itself nothing happens")
    func ontoItself() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let before = try system.row("a.jpg")
            try system.rename("a.jpg", "a.jpg")
            #expect(try system.row("a.jpg") == before)
            #expect(system.inMain("a.jpg") == photo(1))
        }
    }

    @Test("Rename.2: without a main copy of the source, the target's is not taken for it")
    func sourceIsMissing() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            try system.lose("a.jpg")
            try system.rename("a.jpg", "b.jpg")
            #expect(system.inMain("b.jpg") == nil)
            #expect(try await system.read("b.jpg") == photo(1))
            #expect(system.inMain("b.jpg") == photo(1))
        }
    }

    @Test("Rename.2: what the catalogue does not know in the target's place is set aside")
    func unknownInTheWay() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try FileManager.default.createDirectory(
                atPath: system.mainPath("b.jpg"), withIntermediateDirectories: false)
            try system.plant("b.jpg/inner", photo(9))
            try system.rename("a.jpg", "b.jpg")
            #expect(system.inMain("b.jpg") == photo(1))
            #expect(try system.aside().count == 1)
        }
    }

    @Test("Rename.2 fails: both names are as they were, and the replaced file's object stays")
    func undone() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            try system.lose("b.jpg")
            try FileManager.default.createDirectory(
                atPath: system.mainPath("b.jpg"), withIntermediateDirectories: false)
            try system.plant("b.jpg/inner", photo(9))
            // Nor is there a place to move it to.
            try system.lose(".backupfs/aside")
            let before = (try system.row("a.jpg"), try system.row("b.jpg"))
            #expect(throws: FileSystemError.main(errno: EIO, during: "setting aside")) {
                try system.rename("a.jpg", "b.jpg")
            }
            let after = (try #require(try system.row("a.jpg")), try #require(try system.row("b.jpg")))
            #expect(after.0.id == before.0?.id && after.1.id == before.1?.id)
            #expect(after.1.status == .created && after.1.inBackup && after.1.version == before.1?.version)
            #expect(try intents(system) == 0)
            try await system.settle()
            #expect(system.keys.count == 2)
            #expect(system.inMain("a.jpg") == photo(1))
            try system.lose("b.jpg")
            #expect(try await system.read("b.jpg") == photo(2))
        }
    }

    @Test("I3: the object of a file is not removed while the rename that replaced it may be taken back")
    func replacedIsKeptUntilMainFollowed() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            let core = system.core
            // The background asks no lock for a file without a main copy.
            try system.lose("b.jpg")
            let b = try system.id("b.jpg")
            try core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.run("UPDATE resource SET in_main = 0 WHERE id = ?", [b.rawValue])
            }
            // As when it looks just between Rename.1 and the end of Rename.2.
            let renamed = try system.recordRename("a.jpg", "b.jpg")
            let replaced = try #require(renamed.replaced)
            await core.remover.finishDeletes([try system.row(replaced.id)])
            try system.commitRecords()
            try core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.undoRename(
                    renamed, from: Dentry(.root, Array("a.jpg".utf8)), to: Dentry(.root, Array("b.jpg".utf8)), now: 2)
            }
            try await system.settle()
            let row = try #require(try system.row("b.jpg"))
            #expect(row.id == replaced.id && row.inBackup)
            #expect(try system.inBackup("b.jpg") == photo(2))
            #expect(try await system.read("b.jpg") == photo(2))
        }
    }

    @Test("Rename.1: an exchange gives each file the other's name, without a request")
    func exchanged() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            try system.core.exchange(Dentry(.root, Array("a.jpg".utf8)), Dentry(.root, Array("b.jpg".utf8)))
            #expect(try await system.read("a.jpg") == photo(2))
            #expect(try await system.read("b.jpg") == photo(1))
            #expect(system.inMain("a.jpg") == photo(2) && system.uploads.count == 2)
        }
    }

    private func intents(_ system: TestFileSystem) throws -> Int {
        try system.core.catalogue.read { reader throws(CatalogueError) in try reader.renameIntents() }.count
    }
}
