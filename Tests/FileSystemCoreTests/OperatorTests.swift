// What an operator sees and does.

import Catalogue
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("The operator's questions")
struct OperatorTests {
    /// One file that could not be backed up, one deleted one that backup still has, one superseded version; and nobody
    /// who tries again.
    private func leaveThings(_ system: TestFileSystem) async throws {
        try await system.write("good.jpg", photo(1))
        try await system.write("deleted.jpg", photo(2))
        try await system.write("changed.jpg", photo(3))
        let rule = system.store.inject(.fail(down), on: [.delete])
        try system.remove("deleted.jpg")
        try await system.write("changed.jpg", photo(4))
        try await system.eventually("both removals were tried and recorded") {
            let leftovers = try await system.core.operatorDesk.leftovers()
            return rule.hits >= 2 && leftovers.count == 2
        }
        _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
        system.store.inject(.fail(.full(message: "quota")), on: [.put])
        await #expect(throws: FileSystemError.self) { try await system.write("failed.jpg", photo(5)) }
        try system.commitRecords()
    }

    @Test("I14: status and leftovers count what does not match, and say why")
    func status() async throws {
        try await TestFileSystem.run { system in
            try await leaveThings(system)
            let status = try await system.core.operatorDesk.status()
            #expect(status.place.main == system.main && status.place.mountpoint == nil)
            #expect(status.backup.url == "memory://test" && status.backup.lastError != nil)
            #expect(status.resources == .init(creating: 1, created: 2, deleted: 1))
            #expect(status.pending.uploads == 1 && status.pending.removals >= 2)
            #expect(status.leftovers == 3)
            #expect(status.recoveries == .init(done: 0, failed: 0))
            #expect(status.failures.uploads >= 1 && status.failures.removals >= 2)
            #expect(status.failures.setAside == 0 && status.failures.catalogue == 0)
            let reasons = Dictionary(
                uniqueKeysWithValues: try await system.core.operatorDesk.leftovers().map { ($0.key, $0.reason) })
            #expect(
                reasons == [
                    "deleted.jpg": "deleted, still stored", "changed.jpg": "older version still in backup",
                    "failed.jpg": "not in backup",
                ])
            #expect(try await system.core.operatorDesk.leftovers().allSatisfy { $0.lastError != nil })
        }
    }

    @Test("clean --dry-run tells what it would do, and does none of it")
    func dryRun() async throws {
        try await TestFileSystem.run { system in
            try await leaveThings(system)
            system.store.heal()
            let (keys, requests) = (system.keys, system.memory.requests.count)
            let steps = Mutex<[CleanReport.Step]>([])
            let report = try await system.core.operatorDesk.clean(dryRun: true) { page in steps.withLock { $0 += page }
            }
            let plan = Dictionary(uniqueKeysWithValues: steps.withLock { $0 }.map { ($0.key, $0.action) })
            #expect(plan == ["deleted.jpg": .remove, "changed.jpg": .remove, "failed.jpg": .upload])
            #expect(report.remaining == 3 && report.uploaded == 0 && report.removed == 0 && report.failed == 0)
            #expect(system.keys == keys && system.memory.requests.count == requests)
        }
    }

    @Test("clean does what the leftovers need, and says what still fails")
    func clean() async throws {
        try await TestFileSystem.run { system in
            try await leaveThings(system)
            #expect(
                try await system.core.operatorDesk.clean()
                    == CleanReport(uploaded: 0, removed: 0, failed: 3, remaining: 3))
            system.store.heal()
            #expect(
                try await system.core.operatorDesk.clean()
                    == CleanReport(uploaded: 1, removed: 2, failed: 0, remaining: 0))
            #expect(try system.inBackup("failed.jpg") == photo(5))
            #expect(system.keys == ["changed.jpg", "failed.jpg", "good.jpg"].map { try? system.key($0) })
            let status = try await system.core.operatorDesk.status()
            #expect(status.leftovers == 0 && status.pending.uploads == 0 && status.pending.removals == 0)
            #expect(
                try await system.core.operatorDesk.clean()
                    == CleanReport(uploaded: 0, removed: 0, failed: 0, remaining: 0))
        }
    }

    @Test("info tells a file's state, and that of the one deleted last under a name")
    func info() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("shop/a.jpg", photo(1))
            try await system.write("shop/a.jpg", photo(2))
            let path = Array("shop/a.jpg".utf8)
            let info = try await system.core.operatorDesk.info(path: path)
            #expect(info.key == "shop/a.jpg" && info.status == .created && info.version == 2 && info.size == 5000)
            #expect(info.sha256 == ContentDigests(of: photo(2)).sha256Hex)
            #expect(info.backupKey?.hasSuffix(try system.key("shop/a.jpg")) == true)
            #expect(info.stored == StoredIn(main: true, backup: true) && info.lastError == nil)
            try system.remove("shop/a.jpg")
            #expect(try await system.core.operatorDesk.info(path: path).deletedAt != nil)
            try await system.write("shop/a.jpg", photo(3))
            #expect(try await system.core.operatorDesk.info(path: path).status == .created)
            await #expect(throws: OperatorError(message: "b.jpg: no such file in the catalogue")) {
                try await system.core.operatorDesk.info(path: Array("b.jpg".utf8))
            }
        }
    }

    @Test("A file says its own state in its attributes")
    func stateAttributes() async throws {
        try await TestFileSystem.run { system in
            let handle = try system.create("a.jpg")
            try system.commitRecords()
            let id = handle.file.id
            #expect(try system.core.xattr(id, "user.backupfs.state") == Array("pending".utf8))
            #expect(throws: FileSystemError.noSuchXattr) { try system.core.xattr(id, "user.backupfs.key") }
            try await system.core.flush(handle)
            system.core.close(handle)
            #expect(try system.core.xattr(id, "user.backupfs.state") == Array("created".utf8))
            #expect(
                try system.core.xattr(id, "user.backupfs.sha256") == Array(ContentDigests(of: []).sha256Hex.utf8))
            #expect(throws: FileSystemError.notSupported) {
                try system.core.setXattr(id, "user.backupfs.state", [1], mode: .any)
            }
            #expect(try system.core.xattrNames(id).isEmpty)
        }
    }

    @Test("sync returns when what was closed before it is in backup, with the journal")
    func sync() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.fail(.full(message: "quota")), on: [.put], keys: .prefix("a~"), count: 1)
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.self) { try await system.write("a.jpg", photo(1)) }
            let core = system.core
            let sync = Task {
                try await core.operatorDesk.sync { _ in }
                return try system.inBackup("a.jpg") == photo(1)
            }
            await gate.reached()
            gate.open()
            let isInBackup = try await sync.value
            #expect(isInBackup)
            #expect(try await core.operatorDesk.status().pending.uploads == 0)
        }
    }
}
