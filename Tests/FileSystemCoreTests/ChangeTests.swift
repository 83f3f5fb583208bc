// What must be known of a main copy before it is changed, and who answers for the change.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Before and after a change")
struct ChangeTests {
    @Test("I4: a copy that was cut behind the mount and is emptied: nothing of the old content comes back")
    func truncatedBehind() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.plant("a.jpg", [])
            let handle = try await system.open("a.jpg", writing: true, truncating: true)
            try await system.put(handle, photo(2, size: 10))
            try await system.core.flush(handle)
            system.core.close(handle)
            try await system.settle()
            #expect(try await system.read("a.jpg") == photo(2, size: 10))
            #expect(try system.inBackup("a.jpg") == photo(2, size: 10))
        }
    }

    @Test("I1: O_TRUNC through a handle that only reads is backed up by its close")
    func truncatedReadOnly() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let handle = try await system.open("a.jpg", writing: false, truncating: true)
            try await system.core.flush(handle)
            #expect(try system.inBackup("a.jpg") == [])
            system.core.close(handle)
            try await system.settle()
            // Nothing that waits for an upload is without a writer and without a time.
            let forgotten = try system.core.catalogue.read { reader throws(CatalogueError) in
                try reader.forgottenUploads()
            }
            #expect(forgotten.isEmpty)
        }
    }

    @Test(
        "I3: a bit that has rotten in main is found before the first change, and never backed up", arguments: [0, 1, 2])
    func rotten(change: Int) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.restart()
            try system.rot("a.jpg", at: 77)
            let core = system.core
            var expected = photo(1)
            switch change {
            case 0:
                let handle = try await system.open("a.jpg", writing: true)
                try await system.put(handle, [9], at: expected.count)
                try await core.flush(handle)
                core.close(handle)
                expected.append(9)
            case 1:
                try await core.truncate(system.id("a.jpg"), to: 4000)
                expected = Array(expected.prefix(4000))
            default:
                // Emptied: nothing of it is kept, and nothing needs to be read.
                try await system.write("a.jpg", photo(2))
                expected = photo(2)
            }
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == expected)
            #expect(try await system.read("a.jpg") == expected)
            #expect(try system.aside().count == (change == 2 ? 0 : 1))
            #expect(system.downloads == (change == 2 ? 0 : 1))
        }
    }

    @Test("A file that was written or compared is not compared again before its next change")
    func comparedOnce() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            try await system.core.flush(handle)
            #expect(system.core.isReadyForChange(handle.file))
            system.core.close(handle)
            let again = try await system.open("a.jpg", writing: true)
            #expect(!system.core.isReadyForChange(again.file))
            try await system.core.prepareForChange(again.file)
            #expect(system.core.isReadyForChange(again.file))
            system.core.close(again)
            let emptied = try await system.open("a.jpg", writing: true, truncating: true)
            #expect(system.core.isReadyForChange(emptied.file))
            system.core.close(emptied)
            try await system.settle()
        }
    }

    @Test("I2: a change that main lost before its upload is told, and the old version never passes for it")
    func lostChange() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let version = try system.key("a.jpg")
            system.store.inject(.fail(.rejected(.status(400), message: "")), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(2)) }
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            try system.lose("a.jpg")
            system.store.heal()
            // A reader comes before the background.
            #expect(try await system.read("a.jpg") == photo(1))
            try system.commitRecords()
            #expect(try system.row("a.jpg")?.needsUpload == false)
            #expect(try system.row("a.jpg")?.lastError?.contains("lost") == true)
            #expect(system.core.counters.now.changesLost == 1)
            #expect(try system.key("a.jpg") == version)
        }
    }

    @Test("I4: no writer goes on before the mark that main is ahead is on the disk, though another one has set it")
    func markIsDurable() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let handle = try await system.open("a.jpg", writing: true, truncating: false)
            try await system.core.prepareForChange(handle.file)
            // Another writer's mark is on its way to the disk.
            #expect(handle.file.content { $0.writeBegins() })
            #expect(!handle.file.content { $0.isMarked })
            try system.core.beginWrite(handle.file, 0..<1)
            #expect(handle.file.content { $0.isMarked })
            for _ in 1...2 { system.core.endWrite(handle.file, 0..<1) }
            try await system.core.flush(handle)
            system.core.close(handle)
        }
    }

    @Test("An empty file whose main copy is missing needs no backup")
    func emptyNeedsNoBackup() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", [])
            try system.lose("a.jpg")
            system.store.inject(.fail(.unreachable(reason: "test")))
            #expect(try await system.read("a.jpg") == [])
        }
    }

    @Test(
        "Capabilities, which the kernel asks for before each write, are remembered while a file is open, and not longer"
    )
    func capabilities() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a", photo(1))
            let id = try system.id("a")
            let handle = try await system.open("a", writing: true)
            #expect(throws: FileSystemError.noSuchXattr) { try system.core.xattr(id, .capability) }
            // Behind the file system: the catalogue is not asked again.
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.run(
                    "INSERT INTO xattr VALUES (?, ?, x'01')", [id.rawValue, Data(XattrName.capability.bytes)])
            }
            #expect(throws: FileSystemError.noSuchXattr) { try system.core.xattr(id, .capability) }
            try system.core.setXattr(id, .capability, [2], mode: .any)
            #expect(try system.core.xattr(id, .capability) == [2])
            try system.core.removeXattr(id, .capability)
            #expect(throws: FileSystemError.noSuchXattr) { try system.core.xattr(id, .capability) }
            try await system.core.flush(handle)
            system.core.close(handle)
            try system.core.setXattr(id, .capability, [3], mode: .any)
            #expect(try system.core.xattr(id, .capability) == [3])
        }
    }
}
