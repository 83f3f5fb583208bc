// What the next start does after a daemon was killed, or the machine went down, at each boundary of the steps (I6).

import Foundation
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Repair after a crash")
struct RepairTests {
    @Test("Write.3: a file that was never closed has what was written, and is backed up")
    func createdAndNotClosed() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(1))
            #expect(try system.row("a.jpg")?.status == .created)
            withExtendedLifetime(handle) {}
        }
    }

    @Test("Write.1: a row whose file was not made yet is taken back; one whose file was made is kept")
    func rowsWithoutFiles() async throws {
        try await TestFileSystem.run { system in
            try record(system, .file, "never made")
            try record(system, .file, "made")
            try record(system, .directory, "directory")
            try record(system, .symlink, "link", target: "made")
            try system.plant("made", photo(1))
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try system.row("never made") == nil)
            #expect(try system.inBackup("made") == photo(1))
            #expect(try system.row("directory")?.status == .created)
            #expect(try system.row("link")?.status == .created)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: system.mainPath("link")) == "made")
            try await system.write("directory/a.jpg", photo(2))
            #expect(system.inMain("directory/a.jpg") == photo(2))
        }
    }

    private func record(
        _ system: TestFileSystem, _ kind: Resource.Kind, _ name: String, target: String? = nil
    ) throws {
        let attributes = NewAttributes(
            mode: 0o755, uid: getuid(), gid: getgid(), target: target.map { Array($0.utf8) })
        try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
            _ = try writer.create(kind, Dentry(.root, Array(name.utf8)), attributes, now: 1)
        }
    }

    @Test("Write.4: an upload that was under way is done again under its key", arguments: [false, true])
    func uploadUnderWay(isStored: Bool) async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(isStored ? .holdAnswer(gate) : .hold(gate), on: [.put], keys: .prefix("a~"))
            let core = system.core
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            try await system.crash()
            try await system.mount()
            try await system.settle()
            let key = try system.key("a.jpg")
            #expect(try system.inBackup("a.jpg") == photo(1))
            // The dead daemon's request arrives after all.
            gate.open()
            await #expect(throws: FileSystemError.self) { try await close.value }
            #expect(Set(system.uploads) == [key])
            #expect(system.keys == [key])
            #expect(try system.row("a.jpg")?.status == .created)
        }
    }

    @Test("Write.5: a version whose commit was lost goes when the file gets another content")
    func uncommittedVersionGoes() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"))
            let core = system.core
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            try await system.crash()
            gate.open()
            await #expect(throws: FileSystemError.self) { try await close.value }
            try system.plant("a.jpg", photo(2))
            try await system.mount()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(system.keys == [try system.key("a.jpg")])
        }
    }

    @Test("Delete.2: a delete that was recorded is finished")
    func deleteRecorded() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.recordDelete("a.jpg")
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try system.row("a.jpg") == nil)
            #expect(system.inMain("a.jpg") == nil && system.keys.isEmpty)
        }
    }

    @Test("Rename.1: a rename that was recorded is followed by main", arguments: [false, true], [false, true])
    func renameRecorded(replacing: Bool, mainHasFollowed: Bool) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            if replacing { try await system.write("b.jpg", photo(2)) }
            try system.recordRename("a.jpg", "b.jpg")
            if mainHasFollowed { #expect(rename(system.mainPath("a.jpg"), system.mainPath("b.jpg")) == 0) }
            try await system.crash()
            try await system.mount()
            #expect(try system.row("a.jpg") == nil)
            #expect(system.inMain("a.jpg") == nil && system.inMain("b.jpg") == photo(1))
            try await system.settle()
            #expect(try await system.read("b.jpg") == photo(1))
            #expect(system.keys == [try system.key("b.jpg")])
            #expect(try system.aside().isEmpty && system.downloads == 0)
        }
    }

    @Test("I6: a crash during repair, and another one, are ends like any other")
    func crashDuringRepair() async throws {
        try await TestFileSystem.run { system in
            try await system.write("old.jpg", photo(1))
            try await system.write("gone.jpg", photo(2))
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(3))
            try system.recordRename("old.jpg", "new.jpg")
            try system.recordDelete("gone.jpg")
            for _ in 1...3 {
                try await system.crash()
                try await system.openUnstarted()
                // Repaired, and killed before the start is recorded or anything in the background is done.
                try system.core.lifecycle.repairer.repair(mainMayBeTorn: false)
            }
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try await system.read("new.jpg") == photo(1))
            #expect(try system.inBackup("a.jpg") == photo(3))
            #expect(try system.row("gone.jpg") == nil)
            #expect(system.keys.count == 2)
            withExtendedLifetime(handle) {}
        }
    }

    @Test("Read.6: what a killed recovery left in staging goes at the next start")
    func stagingIsEmptied() async throws {
        try await TestFileSystem.run { system in
            try system.plant(".backupfs/staging/recover-7", photo(1))
            try await system.crash()
            try await system.mount()
            #expect(try system.staged().isEmpty)
        }
    }

    @Test("I4: after a kill an overwrite that was not acknowledged is the file, and is backed up")
    func sameBoot() async throws {
        try await TestFileSystem.run { system in
            try await system.overwriteWithoutClose("a.jpg")
            try await system.crash()
            try await system.mount()
            #expect(try await system.read("a.jpg") == photo(2))
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(try system.aside().isEmpty)
        }
    }

    @Test("I4: after a power loss the acknowledged version is the file, and what main has beyond it is set aside")
    func otherBoot() async throws {
        try await TestFileSystem.run { system in
            try await system.overwriteWithoutClose("a.jpg")
            let acknowledged = try system.key("a.jpg")
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside() == [photo(2)])
            try await system.settle()
            #expect(system.inMain("a.jpg") == photo(1))
            #expect(system.keys == [acknowledged] && system.uploads == [acknowledged])
        }
    }

    @Test("I4: after a power loss a file that was never acknowledged keeps what main has")
    func otherBootNeverAcknowledged() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.inBackup("a.jpg") == photo(1))
            #expect(try system.aside().isEmpty)
            withExtendedLifetime(handle) {}
        }
    }

    @Test("I4: a clean stop leaves nothing torn, whatever boot comes next")
    func cleanStop() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            system.store.inject(.fail(down))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("a.jpg", photo(2)) }
            await system.stop()
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(try system.aside().isEmpty)
        }
    }

    @Test("I6: a change of names that main has followed is not repeated over what the names were used for since")
    func followedExchange() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            let (a, b) = (Array("a.jpg".utf8), Array("b.jpg".utf8))
            for _ in 0..<2 { try system.core.exchange(Dentry(.root, a), Dentry(.root, b)) }
            try system.remove("b.jpg")
            try system.commitRecords()
            try await system.crash()
            try await system.mount()
            #expect(system.inMain("a.jpg") == photo(1))
            #expect(system.inMain("b.jpg") == nil)
        }
    }

    @Test("I6: a name of a linked file that main has for another file after a power cut is linked anew")
    func wrongLinkAfterPowerLoss() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            _ = try system.core.link(try system.id("a.jpg"), Dentry(.root, Array("b.jpg".utf8)))
            await system.stop()
            try system.lose("b.jpg")
            try system.plant("b.jpg", photo(2))
            try await system.openUnstarted()
            try system.core.lifecycle.repairer.repair(mainMayBeTorn: true)
            #expect(system.inode("b.jpg") == system.inode("a.jpg"))
            #expect(try system.aside() == [photo(2)])
            try system.start()
            #expect(try await system.read("b.jpg") == photo(1))
        }
    }
}
