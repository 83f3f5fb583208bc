// What a start does about renames that were recorded, when the power went: main has followed so many of them.

import Foundation
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Renames and a power cut")
struct RenameRepairTests {
    /// A rename that the catalogue has made and main has not followed; `inode` is what main had under the source then.
    private func record(_ system: TestFileSystem, _ from: String, _ to: String, inode: UInt64) throws {
        let (source, target) = (try system.place(from), try system.place(to))
        _ = try system.core.catalogue.change(
            .powerLoss,
            .rename(
                from: source, to: target, noReplace: false, sourceInode: inode,
                now: currentTime()))
    }

    @Test("Files whose names came back are not renamed once more")
    func namesThatCameBack() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            try await system.settle()
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            let (a, b) = (Array("a.jpg".utf8), Array("b.jpg".utf8))
            for _ in 1...2 { try system.core.exchange(Dentry(.root, a), Dentry(.root, b)) }
            try system.rename("b.jpg", "c.jpg")
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            #expect(system.inMain("a.jpg") == photo(1) && system.inMain("c.jpg") == photo(2))
            #expect(system.inMain("b.jpg") == nil)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside().isEmpty && system.row("b.jpg") == nil)
        }
    }

    @Test("A rename there and back hides no other rename that main has lost")
    func thereAndBack() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("x.jpg", photo(2))
            try await system.settle()
            let (a, x) = (system.inode("a.jpg"), system.inode("x.jpg"))
            try record(system, "a.jpg", "b.jpg", inode: a)
            try record(system, "x.jpg", "y.jpg", inode: x)
            try record(system, "b.jpg", "a.jpg", inode: a)
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            #expect(system.inMain("a.jpg") == photo(1) && system.inMain("y.jpg") == photo(2))
            #expect(system.inMain("b.jpg") == nil && system.inMain("x.jpg") == nil)
            #expect(try system.aside().isEmpty && system.row("x.jpg") == nil)
        }
    }

    @Test("A file and then its directory, both renamed, and main has followed neither")
    func fileThenDirectory() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("old")
            try await system.write("old/a.jpg", photo(1))
            try await system.settle()
            let (file, directory) = (system.inode("old/a.jpg"), system.inode("old"))
            try record(system, "old/a.jpg", "old/b.jpg", inode: file)
            try record(system, "old", "new", inode: directory)
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            #expect(system.inMain("new/b.jpg") == photo(1))
            #expect(system.inMain("new/a.jpg") == nil && system.inode("old") == 0)
            #expect(try system.row("new/a.jpg") == nil && system.row("new/b.jpg") != nil)
            #expect(try system.aside().isEmpty && system.downloads == 0)
        }
    }

    @Test("Delete.4: a file that lost one name to a rename, and then its other one, leaves main")
    func replacedAndDeleted() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let dentry = try system.place("other.jpg")
            _ = try system.core.link(system.id("a.jpg"), dentry)
            try await system.write("c.jpg", photo(2))
            try await system.settle()
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            let id = try system.id("a.jpg")
            try system.rename("c.jpg", "other.jpg")
            try system.recordDelete("a.jpg")
            system.core.intents.finish()
            try system.commitRecords()
            #expect(try system.row(id).inMain)
            try await system.restart()
            try await system.settle()
            #expect(system.inMain("a.jpg") == nil && system.inMain("other.jpg") == photo(2))
        }
    }
}
