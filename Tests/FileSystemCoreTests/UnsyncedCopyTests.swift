// What is uploaded or recovered is in main before it is on the disk: until main is synced, no row vouches for it.

import Catalogue
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("Copies that are right and may not be on the disk yet")
struct UnsyncedCopyTests {
    /// Runs `body` on a file in backup that was just recovered, with no background that syncs main.
    private func withRecovered(
        _ bytes: [UInt8] = photo(1), _ body: (TestFileSystem) async throws -> Void
    ) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", bytes)
            try await system.settle()
            try await recover(system, bytes)
            try await body(system)
        }
    }

    private func recover(_ system: TestFileSystem, _ bytes: [UInt8] = photo(1)) async throws {
        _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
        try system.lose("a.jpg")
        #expect(try await system.read("a.jpg") == bytes)
        #expect(try isUnsynced(system))
    }

    private func isUnsynced(_ system: TestFileSystem) throws -> Bool {
        try system.commitRecords()
        return try system.row("a.jpg")?.mainModified == MainCopy.unsynced
    }

    /// Whether an open takes main's copy as it is.
    private func isReady(_ system: TestFileSystem) throws -> Bool {
        switch try system.core.open(system.id("a.jpg"), writing: false, truncating: false) {
        case .ready(let handle):
            defer { system.core.close(handle) }
            return handle.file.descriptor != nil
        case .mustPrepare(let handle, _):
            system.core.close(handle)
            return false
        }
    }

    /// Gives main's copy other bytes, and its time back: what a power cut leaves of what was not synced.
    private func tear(_ system: TestFileSystem) throws {
        var status = stat()
        #expect(stat(system.mainPath("a.jpg"), &status) == 0)
        let file = Glibc.open(system.mainPath("a.jpg"), O_WRONLY)
        let zeros = [UInt8](repeating: 0, count: status.st_size)
        #expect(pwrite(file, zeros, zeros.count, 0) == zeros.count)
        #expect(futimens(file, [status.st_atim, status.st_mtim]) == 0)
        #expect(close(file) == 0)
    }

    private func vouched(_ system: TestFileSystem) throws {
        system.core.intents.finish()
        var status = stat()
        #expect(stat(system.mainPath("a.jpg"), &status) == 0)
        #expect(try #require(try system.row("a.jpg")).describes(status))
        #expect(system.core.storages.tree.unsynced.all.isEmpty)
    }

    @Test("Read.6: what was digested as it came is not read again")
    func readOnce() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            system.store.inject(.changeUnnoticed, on: [.get])
            // Only a second reading would have seen it.
            #expect(try await system.read("a.jpg") != photo(1))
            #expect(system.downloads == 1)
        }
    }

    @Test(
        "Read.6: it is served, and opened again without a comparison, before main is synced; then the row vouches for it"
    )
    func servedBefore() async throws {
        try await withRecovered { system in
            #expect(try isReady(system))
            let handle = try await system.open("a.jpg")
            #expect(try isReady(system))
            system.core.close(handle)
            #expect(try isUnsynced(system))
            try vouched(system)
            #expect(try isReady(system))
            #expect(system.downloads == 1)
        }
    }

    @Test("I4: a power cut tears it: it is fetched again, and nothing is set aside", arguments: [false, true])
    func torn(isDaemonKilledBefore: Bool) async throws {
        try await withRecovered { system in
            try await system.crash()
            if isDaemonKilledBefore {
                // The next daemon compares what the page cache has, which says nothing of the disk.
                try await system.mount()
                _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
                system.core.intents.finish()
                #expect(try await system.read("a.jpg") == photo(1))
                #expect(try isUnsynced(system))
                try await system.crash()
            }
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.inMain("a.jpg") == photo(1))
            #expect(try system.aside().isEmpty)
            #expect(system.downloads == 2)
        }
    }

    @Test(
        "I4: the same if the row never heard of it, and it has the inode number and the time of the copy that was lost")
    func tornWithoutCommit() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.settle()
            try await system.crash()
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside().isEmpty)
            #expect(system.downloads == 1)
        }
    }

    @Test("I4: the same of a file with two names: both have the new copy")
    func tornWithTwoNames() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            _ = try system.core.link(system.id("a.jpg"), system.place("b.jpg"))
            try await system.settle()
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            system.core.intents.finish()
            try system.lose("a.jpg")
            try system.lose("b.jpg")
            #expect(try await system.read("a.jpg") == photo(1))
            try system.commitRecords()
            try await system.crash()
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("b.jpg") == photo(1))
            #expect(system.inode("a.jpg") == system.inode("b.jpg"))
            #expect(try system.aside().isEmpty)
        }
    }

    @Test(
        "I4: a copy that is whole is kept; the next daemon compares it once, if no row vouches for it or the power was cut"
    )
    func whole() async throws {
        for (isVouchedFor, isPowerCut) in [(false, false), (false, true), (true, false), (true, true)] {
            try await keepsWhole(isVouchedFor: isVouchedFor, isPowerCut: isPowerCut)
        }
    }

    private func keepsWhole(isVouchedFor: Bool, isPowerCut: Bool) async throws {
        try await withRecovered { system in
            if isVouchedFor { system.core.intents.finish() }
            try await system.crash()
            try await system.mount(afterPowerLoss: isPowerCut)
            #expect(try isReady(system) == (isVouchedFor && !isPowerCut))
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 1)
            try await system.eventually("the row vouches for it") { try !isUnsynced(system) }
        }
    }

    @Test("I4: one that somebody has changed behind the mount is set aside")
    func changedBehind() async throws {
        try await withRecovered { system in
            let inode = system.inode("a.jpg")
            try system.plant("a.jpg", photo(2))
            #expect(system.inode("a.jpg") == inode)
            system.core.intents.finish()
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside() == [photo(2)])
        }
    }

    @Test("An orderly stop vouches for it")
    func stop() async throws {
        try await withRecovered { system in
            await system.stop()
            try await system.mount(afterPowerLoss: true)
            #expect(try isReady(system))
        }
    }

    @Test(
        "I13: a sync of main fails: no row vouches, whatever the page cache has; the next read fetches the file again")
    func failedSync() async throws {
        try await withRecovered { system in
            system.core.storages.tree.unsynced.doubt()
            #expect(try !isReady(system))
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 2)
            try vouched(system)
        }
    }

    @Test(
        "I13: then a sync of its own decides, of a copy that nobody or somebody has open", arguments: [false, true],
        [0, -1])
    func doubted(isOpen: Bool, outcome: Int32) async throws {
        try await withRecovered { system in
            let handle = isOpen ? try await system.open("a.jpg") : nil
            system.core.storages.tree.unsynced.doubt()
            system.core.intents.settleDoubted { _ in outcome }
            #expect(system.core.storages.tree.unsynced.doubted.isEmpty)
            #expect(try isReady(system) == (outcome == 0))
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == (outcome == 0 ? 1 : 2))
            #expect(try system.aside() == (outcome == 0 ? [] : [photo(1)]))
            if let handle { system.core.close(handle) }
            try vouched(system)
        }
    }

    @Test(
        "I4: a close, too, is vouched for by the next sync only; a power cut before it tears the copy: backup has the file"
    )
    func closed() async throws {
        try await TestFileSystem.run { system in
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            try await system.write("a.jpg", photo(1))
            #expect(try isUnsynced(system))
            #expect(try isReady(system))
            try await system.crash()
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.downloads == 1)
            try vouched(system)
        }
    }

    @Test("I4: a sync that began before an overwrite does not vouch for what was written over it")
    func overwritten() async throws {
        try await TestFileSystem.run { system in
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            try await system.write("a.jpg", photo(1))
            let first = system.core.storages.tree.unsynced.all
            let handle = try await system.open("a.jpg", writing: true)
            try await system.put(handle, photo(2))
            try await system.core.flush(handle)
            system.core.close(handle)
            #expect(first.count == 1)
            try system.core.catalogue.change(.processCrash, .vouch(for: first))
            #expect(try isUnsynced(system))
            try vouched(system)
        }
    }

    @Test("Write.4: what is written before main is synced is what the row describes after its close")
    func written() async throws {
        try await withRecovered { system in
            let handle = try await system.open("a.jpg", writing: true)
            try await system.put(handle, [1, 2, 3], at: 100)
            system.core.intents.finish()
            #expect(try isUnsynced(system))
            try await system.core.flush(handle)
            system.core.close(handle)
            try vouched(system)
            var bytes = photo(1)
            bytes.replaceSubrange(100..<103, with: [1, 2, 3])
            #expect(try system.inBackup("a.jpg") == bytes)
            #expect(try await system.read("a.jpg") == bytes)
        }
    }

    @Test("I4: what was written to it is lost with the power: the version in backup is the file, as without a recovery")
    func writtenAndLost() async throws {
        try await withRecovered { system in
            let handle = try await system.open("a.jpg", writing: true)
            try await system.put(handle, [1, 2, 3], at: 100)
            try await system.crash()
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside().count == 1)
        }
    }

    @Test(
        "SetAttributes.3: a time or mode that is set before main is synced is vouched for with it",
        arguments: [false, true])
    func attributes(setsTime: Bool) async throws {
        try await withRecovered { system in
            let changes = setsTime ? AttributeChanges(modified: .to(1_000_000_000)) : AttributeChanges(mode: 0o604)
            _ = try system.core.setAttributes(system.id("a.jpg"), changes)
            #expect(try isUnsynced(system))
            #expect(try isReady(system))
            try vouched(system)
            #expect(try system.row("a.jpg")?.modified == (setsTime ? 1_000_000_000 : system.row("a.jpg")?.mainModified))
            #expect(try isReady(system))
        }
    }

    @Test("Rename.2, Delete.3: one that was renamed is vouched for, one that was deleted is not missed")
    func names() async throws {
        try await withRecovered { system in
            try system.rename("a.jpg", "b.jpg")
            system.core.intents.finish()
            try system.commitRecords()
            let row = try #require(try system.row("b.jpg"))
            #expect(row.mainModified != MainCopy.unsynced && row.mainInode == system.inode("b.jpg"))
            try system.rename("b.jpg", "a.jpg")
        }
        try await withRecovered { system in
            try system.remove("a.jpg")
            system.core.intents.finish()
            #expect(system.inMain("a.jpg") == nil)
            #expect(system.core.storages.tree.unsynced.all.isEmpty)
        }
    }

    @Test("I3: a torn copy does not take the place of an object that backup lost")
    func objectLost() async throws {
        try await withRecovered { system in
            try await system.crash()
            try tear(system)
            try await system.mount(afterPowerLoss: true)
            let key = try system.key("a.jpg")
            system.memory[key] = nil
            let scrubber = Scrubber(
                storages: system.core.storages, claim: system.core.claim, logger: system.core.logger)
            var position = ScrubPosition(now: .now)
            while !position.isFinished { _ = try await scrubber.comparePage(&position) }
            await #expect(throws: FileSystemError.self) { try await system.read("a.jpg") }
            #expect(system.uploads.count == 1)
        }
    }
}
