// What is moved out of the way in main, and what is not: nothing that BackupFS did not make itself is taken for garbage.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Setting aside")
struct AsideTests {
    @Test("I8: the machine dies during the first adoption: everything is adopted, nothing is moved")
    func powerLossDuringAdoption() async throws {
        func plantAlbums(_ system: TestFileSystem) throws {
            for album in 0..<20 {
                try FileManager.default.createDirectory(
                    atPath: system.mainPath("album \(album)"), withIntermediateDirectories: false)
                for index in 0..<3 { try system.plant("album \(album)/\(index).jpg", photo(album * 3 + index)) }
            }
        }
        try await TestFileSystem.run(mounting: false, prepare: plantAlbums) { system in
            try await system.openUnstarted()
            // The first directory has its rows, and the start has noted its boot.
            let known = try system.core.main.entries([])
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                for entry in known where entry.name != MainStorage.reservedName {
                    _ = try writer.adopt(
                        .directory, Dentry(.root, entry.name), entry.attributes, isFirst: true)
                }
                try writer.set(Setting.boot, to: "this one")
            }
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try system.aside().isEmpty)
            for album in 0..<20 {
                for index in 0..<3 {
                    let path = "album \(album)/\(index).jpg"
                    #expect(system.inMain(path) == photo(album * 3 + index))
                    #expect(try system.inBackup(path) == photo(album * 3 + index))
                }
            }
        }
    }

    @Test(
        "One of a file's two names is lost in main: the copy under the other one is the file, and nothing is set aside",
        arguments: ["a.jpg", "b.jpg"], [false, true])
    func oneOfTwoNames(lost: String, isEmptied: Bool) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            _ = try system.core.link(try system.id("a.jpg"), Dentry(.root, Array("b.jpg".utf8)))
            try await system.settle()
            let inode = system.inode("a.jpg")
            unlink(system.mainPath(lost))
            if isEmptied { try await system.write("a.jpg", photo(2)) }
            #expect(try await system.read("b.jpg") == photo(isEmptied ? 2 : 1))
            #expect(try system.aside().isEmpty)
            let inodes = Set([system.inode("a.jpg"), system.inode("b.jpg")])
            // A name that nobody has needed is not missed yet.
            #expect(inodes == [inode] || inodes == [inode, 0])
            #expect(system.memory.count(.get, .containing("a~")) == 0)
            try await system.settle()
        }
    }

    @Test("I8: what the catalogue does not know after a power loss is taken over where it is, directories too")
    func unknownAfterPowerLoss() async throws {
        try await TestFileSystem.run { system in
            try await system.write("known.jpg", photo(1))
            try system.plant("unknown.jpg", photo(2))
            try FileManager.default.createDirectory(
                atPath: system.mainPath("unknown/deep"), withIntermediateDirectories: true)
            try system.plant("unknown/deep/a.jpg", photo(3))
            let inode = system.inode("unknown/deep/a.jpg")
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try system.aside().isEmpty)
            #expect(system.inode("unknown/deep/a.jpg") == inode)
            #expect(try system.inBackup("unknown.jpg") == photo(2))
            #expect(try system.inBackup("unknown/deep/a.jpg") == photo(3))
            #expect(try await system.core.operatorDesk.status().adoption.files == 0)
        }
    }

    @Test("I6: what was deleted and comes back with a power loss goes again, a file and a directory")
    func deletedComesBack() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("old")
            try await system.write("old/a.jpg", photo(1))
            // The disk forgets both removals: the same inodes are there again.
            #expect(rename(system.mainPath("old"), system.mainPath(".backupfs/kept")) == 0)
            try system.remove("old/a.jpg")
            try system.remove("old", directory: true)
            try await system.settle()
            try await system.crash()
            try? FileManager.default.removeItem(atPath: system.mainPath("old"))
            #expect(rename(system.mainPath(".backupfs/kept"), system.mainPath("old")) == 0)
            try await system.mountAsOld("old")
            #expect(system.inode("old") == 0)
            #expect(try system.row("old") == nil)
            #expect(try system.aside().isEmpty)
        }
    }

    @Test("I14: what is set aside keeps path and inode, is on record, and comes back as it was")
    func broughtBack() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try system.plant("shop/a.jpg", photo(1))
            let inode = system.inode("shop/a.jpg")
            try await system.write("shop/a.jpg", photo(2))
            let entries = try system.core.catalogue.read { reader throws(CatalogueError) in
                try reader.setAside(after: 0, limit: 10)
            }
            let entry = try #require(entries.first)
            #expect(entries.count == 1 && entry.reason == .unknown)
            #expect(entry.path == [Array("shop".utf8), Array("a.jpg".utf8)])
            #expect(system.inode(".backupfs/aside/\(entry.id)/shop/a.jpg") == inode)
            // Its name is taken: it comes back beside.
            let path = try system.core.desk.aside.bringBack(entry.id)
            #expect(path == [Array("shop".utf8), Array("a.jpg (set aside \(entry.id))".utf8)])
            #expect(system.inode("shop/a.jpg (set aside \(entry.id))") == inode)
            try await system.settle()
            #expect(try system.inBackup("shop/a.jpg (set aside \(entry.id))") == photo(1))
            #expect(try system.inBackup("shop/a.jpg") == photo(2))
            #expect(try system.aside().isEmpty)
            #expect(system.inode(".backupfs/aside/\(entry.id)") == 0)
        }
    }

    @Test("A directory that was set aside comes back whole; one that is discarded is gone")
    func directories() async throws {
        try await TestFileSystem.run { system in
            for name in ["one", "two"] {
                try FileManager.default.createDirectory(
                    atPath: system.mainPath("\(name)/deep"), withIntermediateDirectories: true)
                try system.plant("\(name)/deep/a.jpg", photo(1))
                try await system.write(name, photo(2))
                try system.remove(name)
            }
            let path = try system.core.desk.aside.bringBack(1)
            #expect(path == [Array("one".utf8)])
            try system.core.desk.aside.discard(2)
            try await system.settle()
            #expect(try system.inBackup("one/deep/a.jpg") == photo(1))
            #expect(try FileManager.default.contentsOfDirectory(atPath: system.mainPath(".backupfs/aside")).isEmpty)
            #expect(throws: FileSystemError.catalogue(.noSuchResource)) { try system.core.desk.aside.bringBack(2) }
        }
    }

    @Test("I14: what cannot be discarded stays on record", .enabled(if: geteuid() == 0, "it mounts"))
    func undiscardable() async throws {
        try await TestFileSystem.run { system in
            try system.plant("a.jpg", photo(1))
            try await system.write("a.jpg", photo(2))
            // A mount point cannot be removed.
            let place = system.mainPath(".backupfs/aside/1/busy")
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            #expect(mount("none", place, "tmpfs", 0, nil) == 0)
            defer { umount2(place, 2) }
            #expect(throws: FileSystemError.main(errno: EBUSY, during: "rmdir")) {
                try system.core.desk.aside.discard(1)
            }
            #expect(try system.core.catalogue.read { reader throws(CatalogueError) in try reader.asideCount() } == 1)
            #expect(umount2(place, 0) == 0)
            try system.core.desk.aside.discard(1)
            #expect(try system.core.catalogue.read { reader throws(CatalogueError) in try reader.asideCount() } == 0)
        }
    }

    @Test("I6: a crash on the way aside, or back, loses nothing and forgets nothing", arguments: [false, true])
    func crashOnTheWay(isMoved: Bool) async throws {
        try await TestFileSystem.run { system in
            try system.plant("a.jpg", photo(1))
            let name = Array("a.jpg".utf8)
            let id = try system.core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.addAside([name], .unknown, of: nil, now: 1)
            }
            if isMoved {
                #expect(try system.core.main.moveAside(try MainEntry(system.core.main.root, name), [name], id))
            }
            try await system.crash()
            try await system.mount()
            #expect(try system.aside() == (isMoved ? [photo(1)] : []))
            guard isMoved else { return #expect(system.inMain("a.jpg") == photo(1)) }
            // Back: moved, and not taken over yet.
            try system.core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.beginRestore(id, Dentry(.root, name))
            }
            try system.core.main.moveBack(id, [name], try MainEntry(system.core.main.root, name))
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(1))
            #expect(try system.aside().isEmpty)
        }
    }
}
