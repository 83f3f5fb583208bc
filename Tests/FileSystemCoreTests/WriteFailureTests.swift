// Write.4 when backup does not take the upload: upload is mandatory, so the close fails, and nothing is lost.

import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

let down = ObjectStoreError.unreachable(reason: "down")

@Suite("Failing writes")
struct WriteFailureTests {
    @Test(
        "Write.4 fails: close says why, the file is a leftover once, and it heals by itself (I2, I14)",
        arguments: [
            down, .full(message: "quota"), .denied(.server(.accessDenied), message: "no"),
            .noSuchBucket("photos"), .rejected(.server(ServerCode("InvalidRequest")), message: "no"),
        ])
    func failedUpload(error: ObjectStoreError) async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.fail(error), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.backup(error)) { try await system.write("a.jpg", photo(1)) }
            let row = try #require(try system.row("a.jpg"))
            #expect(row.status == .creating && row.needsUpload && row.inMain && !row.inBackup)
            #expect(system.inMain("a.jpg") == photo(1))
            let leftovers = try await system.core.operatorDesk.leftovers()
            #expect(leftovers.map(\.key) == ["a.jpg"])
            #expect(leftovers.first?.reason == "not in backup")
            #expect(leftovers.first?.lastError == "\(error)")
            #expect(leftovers.first?.stored == StoredIn(main: true, backup: false))
            #expect(system.core.counters.now.uploadsFailed >= 1)
            let status = try await system.core.operatorDesk.status()
            #expect(status.leftovers == 1 && status.pending.uploads == 1)
            #expect(status.backup.lastError == "\(error)")
            #expect(try await system.read("a.jpg") == photo(1))
            system.store.heal()
            try await system.settle()
            let healed = try #require(try system.row("a.jpg"))
            #expect(healed.status == .created && healed.inBackup && healed.lastError == nil)
            #expect(try system.inBackup("a.jpg") == photo(1))
        }
    }

    @Test("Closes that fail while the store is down succeed soon after it is back, though nothing else asked for it")
    func outageThatNobodyEnds() async throws {
        try await TestFileSystem.run(whenDown: .fail) { system in
            try await system.write("a.jpg", photo(1))
            try system.lose("a.jpg")
            system.store.inject(.fail(down))
            await #expect(throws: FileSystemError.backup(down)) { try await system.read("a.jpg") }
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("b.jpg", photo(2)) }
            try system.remove("b.jpg")
            system.store.heal()
            try await system.eventually("the outage is over") { system.core.health.outage == nil }
            try await system.write("c.jpg", photo(3))
        }
    }

    @Test("Write.4 hangs: the close ends at its deadline, and the file is backed up later")
    func hangingUpload() async throws {
        try await TestFileSystem.run(closeTimeout: .milliseconds(400)) { system in
            system.store.inject(.hang, on: [.put], keys: .prefix("a~"))
            let failure = await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(1)) }
            #expect(
                failure == .backupTimedOut || failure == .backup(.deadlineExceeded(reason: "no answer")))
            // The close may give up a moment before the upload does, which then says why.
            try await system.eventually("the row says why") { try system.row("a.jpg")?.lastError != nil }
            #expect(try await system.core.operatorDesk.leftovers().map(\.key) == ["a.jpg"])
            system.store.heal()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(1))
        }
    }

    @Test("I2: no later flush of the same data says 0 before an upload of it succeeded")
    func laterFlushTellsTheTruth() async throws {
        try await TestFileSystem.run { system in
            let rule = system.store.inject(.fail(down), on: [.put], keys: .prefix("a~"))
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            for attempt in 1...3 {
                await #expect(throws: FileSystemError.backup(down)) { try await system.core.flush(handle) }
                #expect(rule.hits >= attempt)
            }
            // Nor does one of another open of the file, which has written nothing.
            let other = try await system.open("a.jpg", writing: true)
            #expect(!system.core.isClean(other))
            await #expect(throws: FileSystemError.backup(down)) { try await system.core.flush(other) }
            system.store.heal()
            try await system.core.flush(other)
            #expect(system.memory[try system.key("a.jpg")]?.bytes == photo(1))
            try await system.core.flush(handle)
            system.core.close(handle)
            system.core.close(other)
        }
    }

    @Test("I2: opened again after a failed close, and after a restart, the next close still tries")
    func reopenedAfterFailure() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.fail(down), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("a.jpg", photo(1)) }
            let handle = try await system.open("a.jpg", writing: true)
            await #expect(throws: FileSystemError.backup(down)) { try await system.core.flush(handle) }
            system.core.close(handle)
            await system.stop()
            try await system.openUnstarted { _ = $0.inject(.fail(down), on: [.put], keys: .prefix("a~")) }
            try system.start()
            let again = try await system.open("a.jpg", writing: true)
            await #expect(throws: FileSystemError.backup(down)) { try await system.core.flush(again) }
            system.store.heal()
            try await system.core.flush(again)
            #expect(try system.inBackup("a.jpg") == photo(1))
            system.core.close(again)
        }
    }

    @Test("Write.4: retries of one content go to one key, also when an answer was lost after the store had applied it")
    func retriesShareTheKey() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.loseAnswer, on: [.put], keys: .prefix("a~"), count: 2)
            await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(1)) }
            try await system.settle()
            #expect(system.uploads.count == 3)
            #expect(Set(system.uploads) == [try system.key("a.jpg")])
            #expect(system.keys.count == 1)
            #expect(system.memory.count(.delete) == 0)
        }
    }

    @Test("Write.4: after a failure another content goes to another key, and what is under the first is removed")
    func otherContentOtherKey() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.loseAnswer, on: [.put], keys: .prefix("a~"), count: 1)
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            await #expect(throws: FileSystemError.self) { try await system.core.flush(handle) }
            let first = try #require(system.uploads.first)
            #expect(system.memory[first] != nil)
            try await system.put(handle, photo(2))
            try await system.core.flush(handle)
            system.core.close(handle)
            #expect(try system.key("a.jpg") != first)
            try await system.settle()
            #expect(system.keys == [try system.key("a.jpg")])
            #expect(try system.inBackup("a.jpg") == photo(2))
        }
    }

    @Test("I3: an overwrite that cannot be uploaded leaves the last good version in backup")
    func failedOverwriteKeepsTheOldVersion() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let old = try system.key("a.jpg")
            system.store.inject(.fail(.full(message: "quota")), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.backup(.full(message: "quota"))) {
                try await system.write("a.jpg", photo(2))
            }
            let row = try #require(try system.row("a.jpg"))
            #expect(row.status == .created && row.inBackup && row.needsUpload)
            #expect(try system.key("a.jpg") == old)
            #expect(system.memory[old]?.bytes == photo(1))
            #expect(system.memory.count(.delete) == 0)
            #expect(
                try await system.core.operatorDesk.leftovers().map(\.stored) == [StoredIn(main: true, backup: true)])
            // I4: what was written last is what is read.
            #expect(try await system.read("a.jpg") == photo(2))
            system.store.heal()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(2))
            #expect(system.keys.count == 1 && system.memory[old] == nil)
        }
    }

    @Test("Write.4: a file that nobody waits for any more is still backed up")
    func closedWithoutFlush() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try await system.put(handle, photo(1))
            system.core.close(handle)
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(1))
        }
    }

    @Test("Write.4: a main copy that is gone before it was backed up is a leftover in no storage, never a success")
    func lostBeforeItsUpload() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.fail(down), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("a.jpg", photo(1)) }
            try system.lose("a.jpg")
            // The store is down until then: an upload that had the file open already could still save it.
            try await system.eventually("it is in no storage") {
                try await system.core.operatorDesk.leftovers().map(\.reason) == ["in no storage"]
            }
            system.store.heal()
            await #expect(throws: FileSystemError.inNoStorage) { try await system.read("a.jpg") }
            #expect(try system.row("a.jpg")?.status == .creating)
            #expect(system.keys.isEmpty)
        }
    }
}
