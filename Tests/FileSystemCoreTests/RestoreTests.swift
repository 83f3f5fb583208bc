// MAIN is gone, and the backup brings it back (I9).

import Foundation
import Glibc
import Logging
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

extension TestFileSystem {
    /// Restores this MAIN from its store; it must not be mounted.
    @discardableResult
    func restore(
        store: (any ObjectStore)? = nil, _ change: (inout Restorer.Request) -> Void = { _ in }
    ) async throws -> RestoreReport {
        var request = Restorer.Request()
        change(&request)
        let restorer = Restorer(
            main: try await lockedMain(), store: store ?? memory, patience: .seconds(60),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await restorer.restore(request)
    }

    /// Every path of the mount with what it is: kind, mode, and a link's target.
    func paths(
        _ directory: ResourceID = .root, below prefix: String = "", withNumbers: Bool = false
    ) throws -> [String: String] {
        var found: [String: String] = [:]
        for entry in try core.list(directory, after: 0, limit: 10_000) {
            let path = prefix + String(decoding: entry.name, as: UTF8.self)
            let row = entry.resource
            let target = row.target.map { String(decoding: $0, as: UTF8.self) } ?? ""
            found[path] = "\(row.kind) \(String(row.mode, radix: 8)) \(target)"
            if withNumbers { found[path]? += " \(row.id.rawValue)" }
            if row.kind == .directory {
                found.merge(try paths(row.id, below: path + "/", withNumbers: withNumbers)) { $1 }
            }
        }
        return found
    }

    /// Waits until the bucket has been looked through after a restore.
    func swept() async throws {
        try await eventually("the bucket is looked through") {
            try self.core.catalogue.setting(Setting.sweep) == nil
        }
    }
}

@Suite("Restoring from the backup alone")
struct RestoreTests {
    /// A second MAIN over the same store, after `first` has been filled and stopped.
    private func afterLoss(
        of memory: MemoryStore, _ body: (TestFileSystem) async throws -> Void
    ) async throws {
        try await TestFileSystem.run(memory: memory, mounting: false, body)
    }

    @Test("I9: names, links, modes, times, attributes and bytes are what they were")
    func everything() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try system.makeDirectory("shop/2023")
            try await system.write("shop/2023/a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            _ = try system.core.link(try system.id("b.jpg"), Dentry(try system.id("shop"), Array("again.jpg".utf8)))
            _ = try system.core.makeNode(
                .symlink, Dentry(.root, [0x6C, 0xFF]),
                NewAttributes(mode: 0o777, uid: 0, gid: 0, target: Array("b.jpg".utf8)))
            _ = try system.core.setAttributes(
                system.id("b.jpg"), AttributeChanges(mode: 0o600, modified: .to(5_000_000_007)))
            try system.core.setXattr(
                system.id("b.jpg"), XattrName([0x75, 0x73, 0x65, 0x72, 0x2E, 0xFE]), [1, 0], mode: .any)
            try await system.write("gone.jpg", photo(3))
            try system.remove("gone.jpg")
            try system.rename("shop/2023", "2024")
            await system.stop()
            try await system.mount()
            let before = try system.paths()
            let times = try system.row("b.jpg")?.modified
            await system.stop()
            try await afterLoss(of: system.memory) { restored in
                let report = try await restored.restore { $0.takesOver = true }
                #expect(report.files == 2 && report.isOwner && report.gaps.isEmpty && report.lostAndFound == 0)
                try await restored.mount()
                #expect(try restored.paths() == before)
                #expect(try restored.row("b.jpg")?.modified == times && restored.row("b.jpg")?.linkCount == 2)
                #expect(try restored.row("b.jpg")?.id == restored.row("shop/again.jpg")?.id)
                #expect(try await restored.read("2024/a.jpg") == photo(1))
                #expect(try await restored.read("shop/again.jpg") == photo(2))
                #expect(
                    try restored.core.xattr(restored.id("b.jpg"), XattrName([0x75, 0x73, 0x65, 0x72, 0x2E, 0xFE])) == [
                        1, 0,
                    ])
                // It goes on from there, and can be lost again.
                try await restored.write("new.jpg", photo(4))
                let now = try restored.paths()
                await restored.stop()
                try await afterLoss(of: restored.memory) { again in
                    try await again.restore { $0.takesOver = true }
                    try await again.mount()
                    #expect(try again.paths() == now)
                    #expect(try await again.read("new.jpg") == photo(4))
                }
            }
        }
    }

    @Test("What MAIN still has is kept if it is what the backup has, and set aside if not")
    func mainIsNotEmpty() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("d")
            for (index, name) in ["same.jpg", "d/changed.jpg", "lost.jpg"].enumerated() {
                try await system.write(name, photo(index))
            }
            await system.stop()
            try await system.mount()
            await system.stop()
            unlink(system.mainPath("lost.jpg"))
            try system.plant("d/changed.jpg", photo(9))
            try system.plant("unknown.jpg", photo(8))
            let report = try await system.restore { $0.takesOver = true }
            #expect(report.kept == 1 && report.setAside == 2)
            try await system.mount()
            let downloads = system.downloads
            #expect(try await system.read("same.jpg") == photo(0) && system.downloads == downloads)
            #expect(try await system.read("d/changed.jpg") == photo(1))
            #expect(try await system.read("lost.jpg") == photo(2))
            let aside = try system.core.catalogue.setAside(after: 0, limit: 9)
            #expect(Set(aside.map { displayPath($0.path) }) == ["d/changed.jpg", "unknown.jpg"])
            // The catalogue that was there is kept, too.
            let state = try FileManager.default.contentsOfDirectory(atPath: system.mainPath(".backupfs"))
            #expect(state.contains { $0.hasPrefix("replaced-") })
        }
    }

    @Test("I1: a file whose close returned and whose name no segment tells is found in the bucket")
    func adopted() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("d")
            try await system.write("d/a.jpg", photo(1))
            try await system.write("d/b.jpg", photo(2))
            try await system.core.syncJournal()
            system.store.inject(.fail(down), on: [.put], keys: .prefix(JournalKey.prefix))
            try await system.write("d/a.jpg", photo(3))
            try await system.write("d/new.jpg", photo(4))
            try system.makeDirectory("untold")
            try await system.write("untold/c.jpg", photo(5))
            try await system.crash()
            try await afterLoss(of: system.memory) { restored in
                try await restored.restore { $0.takesOver = true }
                try await restored.mount()
                try await restored.swept()
                #expect(try await restored.read("d/a.jpg") == photo(3))
                #expect(try await restored.read("d/b.jpg") == photo(2))
                #expect(try await restored.read("d/new.jpg") == photo(4))
                let lost = try restored.paths().keys.filter { $0.hasPrefix("lost+found/") && $0.hasSuffix("-c.jpg") }
                let found = try #require(lost.first)
                let content = try await restored.read(found)
                #expect(lost.count == 1 && content == photo(5))
                // The version that was replaced may be gone already.
                #expect(restored.keys.count >= 4)
            }
        }
    }

    @Test("What a failed upload left is kept for a week as an orphan, and never taken for a file")
    func orphans() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            system.store.inject(.loseAnswer, on: [.put], keys: .any, count: 1)
            try? await system.write("b.jpg", photo(2))
            system.store.heal()
            try system.remove("b.jpg")
            // The removal never happens: what was told before it is the end.
            system.store.inject(.fail(down), on: [.delete])
            try await system.core.syncJournal()
            try await system.crash()
            let garbage = system.keys.count
            try await afterLoss(of: system.memory) { restored in
                try await restored.restore { $0.takesOver = true }
                try await restored.mount()
                try await restored.swept()
                #expect(try Set(restored.paths().keys) == ["a.jpg"])
                #expect(restored.keys.count == garbage || restored.keys.count == 1)
            }
        }
    }

    @Test("A backup that was written within the last minute is taken over only by who says so")
    func inUse() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.core.syncJournal()
            try await afterLoss(of: system.memory) { restored in
                restored.memory.age = .seconds(7)
                let keys = restored.memory.keys
                let failure = await #expect(throws: RestoreError.self) { try await restored.restore() }
                guard case .inUse(_, 7, let host) = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                #expect(!host.isEmpty && restored.memory.keys == keys)
                try await restored.restore { $0.takesOver = true }
                // The one that had it reads on, and does nothing else.
                await #expect(throws: FileSystemError.self) {
                    try await system.core.claim.confirmOwner(deadline: .farAway)
                }
                await #expect(throws: FileSystemError.self) { try await system.write("b.jpg", photo(2)) }
                #expect(try await system.read("a.jpg") == photo(1))
                restored.memory.age = .seconds(61)
                try await restored.restore()
            }
        }
    }

    @Test("A dry run changes nothing, in the bucket and in MAIN")
    func dryRun() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            let keys = system.memory.keys
            try await afterLoss(of: system.memory) { restored in
                try restored.plant("mine.jpg", photo(2))
                let report = try await restored.restore { $0.isDryRun = true }
                #expect(report.files == 1 && restored.memory.keys == keys)
                #expect(restored.inMain("mine.jpg") == photo(2))
                #expect(!FileManager.default.fileExists(atPath: restored.mainPath(".backupfs/catalogue.sqlite")))
            }
        }
    }

    @Test("Credentials that may only read restore, and own nothing")
    func readOnly() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            try await afterLoss(of: system.memory) { restored in
                let store = FaultyStore(restored.memory)
                store.inject(.fail(.denied(.server(.accessDenied), message: "no")), on: [.put, .delete])
                let keys = restored.memory.keys
                let report = try await restored.restore(store: store) { $0.takesOver = true }
                #expect(!report.isOwner && report.files == 1 && restored.memory.keys == keys)
            }
        }
    }

    @Test("A place without a backup, and a journal without a whole part, are refused with what to do")
    func nothingThere() async throws {
        try await TestFileSystem.run(mounting: false) { system in
            await #expect(throws: RestoreError.noBackup(location: "memory://test")) { try await system.restore() }
        }
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            for key in system.memory.keys where JournalKey(key) != nil { system.memory[key]?.bytes[12] ^= 1 }
            await #expect(throws: RestoreError.noJournal(location: "memory://test")) {
                try await system.restore { $0.takesOver = true }
            }
        }
    }

    @Test("A restore that was stopped anywhere is done again", arguments: ["restore.replaced", "restore.placed"])
    func stopped(point: String) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            // As a kill there leaves it.
            let state = system.mainPath(".backupfs")
            if point == "restore.replaced" {
                try FileManager.default.createDirectory(atPath: state + "/restoring", withIntermediateDirectories: true)
                try FileManager.default.moveItem(
                    atPath: state + "/catalogue.sqlite", toPath: state + "/restoring/catalogue.sqlite")
            }
            try await system.restore { $0.takesOver = true }
            try await system.mount()
            #expect(try await system.read("a.jpg") == photo(1))
        }
    }

    @Test("What a journal says that cannot be goes to lost+found, and nothing gets out of MAIN")
    func forged() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            let identity = try #require(
                system.memory.keys.first { JournalKey($0) != nil }.flatMap { system.memory[$0] })
            let header = try SegmentReader(.memory(identity.bytes)).header
            var forged = header
            forged.id = SegmentID(number: 9, epoch: header.id.epoch, attempt: 1)
            (forged.first, forged.previous) = (0, nil)
            func directory(_ id: Int64) -> JournalRecord {
                .resource(
                    .init(
                        id: id, kind: .directory, status: .created, mode: 0o755, uid: 0, gid: 0, size: 0, accessed: 1,
                        modified: 1, changed: 1, createdAt: 1))
            }
            var file = JournalRecord.ResourceRecord(
                id: 20, kind: .file, status: .created, mode: 0o644, uid: 0, gid: 0, size: 3, accessed: 1, modified: 1,
                changed: 1, createdAt: 1)
            file.content = .init(
                id: "0a3kq1v7x2mf", key: "../../etc/passwd", size: 3, sha256: Array(repeating: 1, count: 32), point: nil
            )
            var other = file
            other.id = 21
            other.content?.key = ".backupfs/catalogue.json"
            let records: [JournalRecord] = [
                directory(1), directory(2), directory(3), directory(4), directory(5), .resource(file), .resource(other),
                .name(parent: 1, name: Array("..".utf8), resource: 20),
                .name(parent: 1, name: Array("a/b".utf8), resource: 20),
                .name(parent: 1, name: [0x61, 0x00], resource: 20), .name(parent: 1, name: [], resource: 20),
                .name(parent: 1, name: Array(".backupfs".utf8), resource: 2),
                // A ring, a directory with two names, names of nothing, a name below a file, and one for the root.
                .name(parent: 3, name: [0x78], resource: 4), .name(parent: 4, name: [0x79], resource: 3),
                .name(parent: 1, name: [0x64], resource: 5), .name(parent: 1, name: [0x65], resource: 5),
                .name(parent: 1, name: [0x6E], resource: 999), .name(parent: 20, name: [0x6D], resource: 21),
                .name(parent: 5, name: [0x72], resource: 1),
                .xattr(resource: 5, name: [], value: [1]), .xattr(resource: 77, name: [0x61], value: [1]),
            ]
            let body = try SegmentStore(system.memory) { () throws(SegmentError) in throw .damaged }
                .write(forged) { receive in for record in records { receive(record) } }.get()
            guard case .memory(let bytes) = body else { return }
            system.memory[JournalKey(first: 0, id: forged.id).key] = .init(bytes: bytes)
            let report = try await system.restore { $0.takesOver = true }
            #expect(report.lostAndFound == 4)
            try await system.mount()
            let paths = try system.paths()
            let lost = paths.keys.filter { $0.hasPrefix("lost+found/") && $0.split(separator: "/").count == 2 }
            #expect(lost.count == 4 && paths.keys.allSatisfy { !$0.contains("..") && !$0.hasPrefix(".backupfs") })
            #expect(paths["d"] != nil && paths["e"] == nil)
            await #expect(throws: (any Error).self) { try await system.read("lost+found/20") }
            // The journal goes on with what there is now.
            try system.makeDirectory("after")
            await system.stop()
            try await system.restore { $0.takesOver = true }
            try await system.mount()
            #expect(try Set(system.paths().keys) == Set(paths.keys).union(["after"]))
        }
    }
}
