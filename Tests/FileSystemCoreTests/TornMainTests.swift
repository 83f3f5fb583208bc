// Which bytes in main may be torn, and what is done about what was not acknowledged.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Bytes that may be torn")
struct TornMainTests {
    private let down = ObjectStoreError.unreachable(reason: "test")

    @Test("I4: main's disk went and came back without a reboot: it is as after a power loss")
    func diskLoss() async throws {
        try await TestFileSystem.run { system in
            try await system.overwriteWithoutClose("a.jpg")
            try await system.crash()
            try await system.mount(afterDiskLoss: true)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside() == [photo(2)])
        }
    }

    @Test("I3: after a kill the unacknowledged content is the file, and the version before it is kept for a day")
    func versionIsKept() async throws {
        try await TestFileSystem.run { system in
            try await system.overwriteWithoutClose("a.jpg")
            let acknowledged = try system.key("a.jpg")
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(system.memory[acknowledged]?.bytes == photo(1))
            // It is due when the journal has told that it is not wanted.
            try await system.core.journal.tellRemovals()
            let due = try #require(
                try system.core.catalogue.read { reader throws(CatalogueError) in try reader.nextDueRemoval() })
            #expect(due > currentTime() + CatalogueWriter.suspectRetention / 2)
            // The next version is what a program has written and closed: what it replaces goes at once.
            let second = try system.key("a.jpg")
            try await system.write("a.jpg", photo(3))
            try await system.settle()
            #expect(Set(system.keys) == [acknowledged, try system.key("a.jpg")])
            #expect(system.memory[second] == nil)
        }
    }

    @Test("I4: what main's disk had synced is not torn: a checkpoint vouches for it")
    func checkpointVouches() async throws {
        try await TestFileSystem.run { system in
            try await system.overwriteWithoutClose("a.jpg")
            try system.core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.set(Setting.checkpoint, to: "\(currentTime() + 1_000_000_000)")
            }
            try await system.crash()
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(try system.aside().isEmpty)
        }
    }

    @Test("I4: an orderly stop during an outage, with an upload that hangs, and a reboot: what was written is the file")
    func stopDuringOutage() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(1))
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            system.store.inject(.fail(down), on: [.put], keys: .prefix("b~"))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("b.jpg", photo(2)) }
            let core = system.core
            let handle = try await system.open("a.jpg", writing: true, truncating: true)
            try await system.put(handle, photo(2))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            await system.stop(timeout: .milliseconds(300))
            // The process would have ended; here its upload still holds the file system, and its lock.
            unlink(system.main + "/.backupfs/lock")
            try await system.mount(afterPowerLoss: true)
            #expect(try await system.read("a.jpg") == photo(2))
            gate.open()
            _ = await close.result
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(try system.inBackup("b.jpg") == photo(2))
            #expect(try system.aside().isEmpty)
        }
    }

    @Test("I1: a close whose commit a power loss took: what arrived in backup is the file, though main lost it")
    func acknowledgedByItsObject() async throws {
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
            _ = await close.result
            try system.lose("a.jpg")
            try await system.mount(afterPowerLoss: true)
            try await system.settle()
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.row("a.jpg")?.status == .created)
        }
    }

    @Test(
        "I1, I4: the same of a new file and of an overwritten one: its size is shown and its bytes are read before anything is uploaded again",
        arguments: [false, true])
    func acknowledgedIsRead(isOverwritten: Bool) async throws {
        try await TestFileSystem.run { system in
            if isOverwritten { try await system.write("a.jpg", photo(1, size: 100)) }
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.put], keys: .prefix("a~"))
            let core = system.core
            let handle =
                isOverwritten
                ? try await system.open("a.jpg", writing: true, truncating: true) : try system.create("a.jpg")
            try await system.put(handle, photo(2))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            try await system.crash()
            gate.open()
            _ = await close.result
            try system.lose("a.jpg")
            try await system.openUnstarted {
                $0.inject(.fail(.rejected(.status(400), message: "no")), on: [.put], keys: .prefix("a~"))
            }
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start(afterPowerLoss: true)
            #expect(try system.core.attributes(try system.id("a.jpg")).row.size == 5000)
            #expect(try await system.read("a.jpg") == photo(2))
            system.store.heal()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(system.core.counters.now.changesLost == 0)
        }
    }

    @Test(
        "I1, I4: the same with a new file whose copy in main the power loss tore: what arrived is the file, and else what main has",
        arguments: [false, true])
    func tornNewFile(hasArrived: Bool) async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(hasArrived ? .holdAnswer(gate) : .hold(gate), on: [.put], keys: .prefix("a~"))
            let core = system.core
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            try await system.crash()
            if hasArrived { gate.open() }
            #expect(Glibc.truncate(system.mainPath("a.jpg"), 100) == 0)
            try await system.openUnstarted()
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start(afterPowerLoss: true)
            await system.core.decideUndecided(until: .now + .seconds(120))
            let bytes = hasArrived ? photo(1) : Array(photo(1).prefix(100))
            #expect(try system.core.attributes(try system.id("a.jpg")).row.size == bytes.count)
            #expect(try await system.read("a.jpg") == bytes)
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == bytes)
            #expect(try system.row("a.jpg")?.status == .created)
            gate.open()
            _ = await close.result
        }
    }

    @Test("I4: a content that never arrived and that main lost is given up before anybody is told its length")
    func undecidedIsDecided() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1, size: 100))
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            let core = system.core
            let handle = try await system.open("a.jpg", writing: true, truncating: true)
            try await system.put(handle, photo(2))
            let close = Task { try await core.flush(handle) }
            await gate.reached()
            try await system.crash()
            try system.lose("a.jpg")
            try await system.openUnstarted()
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start(afterPowerLoss: true)
            await system.core.decideUndecided(until: .now + .seconds(120))
            #expect(try system.core.attributes(try system.id("a.jpg")).row.size == 100)
            #expect(try await system.read("a.jpg") == photo(1, size: 100))
            gate.open()
            _ = await close.result
        }
    }

    @Test("I4, I6: what was begun comes back once for the reader and the next upload, under all names of its file")
    func begunIsFetchedOnce() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let core = system.core
            let id = try system.id("a.jpg")
            for name in ["b.jpg", "c.jpg"] { _ = try core.link(id, Dentry(.root, Array(name.utf8))) }
            let answer = Gate()
            system.store.inject(.holdAnswer(answer), on: [.put], keys: .prefix("a~"))
            let handle = try await system.open("a.jpg", writing: true, truncating: true)
            try await system.put(handle, photo(2))
            let close = Task { try await core.flush(handle) }
            await answer.reached()
            try await system.crash()
            answer.open()
            _ = await close.result
            for name in ["a.jpg", "b.jpg", "c.jpg"] { try system.lose(name) }
            let arrival = Gate()
            try await system.openUnstarted { $0.inject(.hold(arrival), on: [.get], keys: .prefix("a~")) }
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start(afterPowerLoss: true)
            // The upload is due, and comes to the same file by itself.
            let read = Task { try await system.read("a.jpg") }
            await arrival.reached()
            try await Task.sleep(for: .milliseconds(100))
            arrival.open()
            #expect(try await read.value == photo(2))
            try await system.settle()
            #expect(arrival.arrived == 1)
            for name in ["a.jpg", "b.jpg", "c.jpg"] { #expect(system.inMain(name) == photo(2)) }
        }
    }

    @Test("I4: a time that main has lost with the power is the row's while the file is read, and main gets it back")
    func lostTime() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            var status = stat()
            #expect(lstat(system.mainPath("a.jpg"), &status) == 0)
            let time: Nanoseconds = 315_113_327_000_000_000
            _ = try system.core.setAttributes(id, AttributeChanges(modified: .to(time)))
            try await system.crash()
            let times = [status.st_atim, status.st_mtim]
            #expect(utimensat(AT_FDCWD, system.mainPath("a.jpg"), times, 0) == 0)
            try await system.mount(afterPowerLoss: true)
            let handle = try await system.open("a.jpg")
            #expect(try system.core.attributes(id).row.modified == time)
            system.core.close(handle)
            #expect(lstat(system.mainPath("a.jpg"), &status) == 0 && Nanoseconds(status.st_mtim) == time)
            #expect(try await system.read("a.jpg") == photo(1))
        }
    }

    @Test("A clock that goes back puts nothing to sleep")
    func clockGoesBack() async throws {
        var watch = ClockWatch(now: 1_000_000_000_000, sinceBoot: 5_000_000_000)
        let steps = [
            watch.hasGoneBack(now: 1_010_000_000_000, sinceBoot: 15_000_000_000),
            watch.hasGoneBack(now: 920_000_000_000, sinceBoot: 16_000_000_000),
            watch.hasGoneBack(now: 921_000_000_000, sinceBoot: 17_000_000_000),
        ]
        #expect(steps == [false, true, false])
        try await TestFileSystem.run { system in
            system.store.inject(.fail(.rejected(.status(400), message: "")), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(1)) }
            let id = try system.id("a.jpg")
            let day: Nanoseconds = 86_400 * 1_000_000_000
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.postpone(id, until: currentTime() + day)
            }
            system.core.lifecycle.scheduler.clampDueTimes()
            try system.commitRecords()
            let due = try #require(
                try system.core.catalogue.read { reader throws(CatalogueError) in
                    try reader.nextDueResource(after: .min)
                })
            #expect(due <= currentTime() + RetryDelay.longest)
        }
    }
}
