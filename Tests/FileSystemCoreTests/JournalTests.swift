// The journal's segments, applied in their order, are the catalogue (I9).

import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

/// All records of a segment.
func readRecords(_ body: SegmentBody) throws -> [JournalRecord] {
    var reader = try SegmentReader(body)
    var records: [JournalRecord] = []
    while let record = try reader.next() { records.append(record) }
    return records
}

/// What somebody knows who has nothing but the bucket.
private struct Rebuilt: Equatable {
    struct Name: Hashable {
        var parent: Int64
        var name: [UInt8]
    }

    var resources: [Int64: JournalRecord.ResourceRecord] = [:]
    var names: [Name: Int64] = [:]
    var xattrs: [Int64: [[UInt8]: [UInt8]]] = [:]

    /// Applies the newest history that a store has.
    init(_ system: TestFileSystem) async throws {
        let reader = JournalReader(segments: SegmentStore(system.memory, system.core.main), patience: .seconds(60))
        let history = try #require(try await reader.history())
        #expect(history.gaps.isEmpty)
        for segment in history.segments {
            for record in try readRecords(segment.body) { apply(record) }
        }
    }

    private mutating func apply(_ record: JournalRecord) {
        switch record {
        case .resource(let state): resources[state.id] = state
        case .erasedResource(let id):
            resources[id] = nil
            xattrs[id] = nil
        case .name(let parent, let name, let resource): names[Name(parent: parent, name: name)] = resource
        case .removedName(let parent, let name): names[Name(parent: parent, name: name)] = nil
        case .xattr(let resource, let name, let value): xattrs[resource, default: [:]][name] = value
        case .removedXattr(let resource, let name): xattrs[resource]?[name] = nil
        case .version, .removedVersion: break
        }
    }

    /// Each path's resource.
    var paths: [String: JournalRecord.ResourceRecord] {
        var found: [String: JournalRecord.ResourceRecord] = [:]
        for (place, id) in names {
            var path = String(decoding: place.name, as: UTF8.self)
            var parent = place.parent
            while parent != ResourceID.root.rawValue {
                guard let step = names.first(where: { $0.value == parent })?.key else { return [:] }
                path = String(decoding: step.name, as: UTF8.self) + "/" + path
                parent = step.parent
            }
            found[path] = resources[id]
        }
        return found
    }
}

@Suite("The journal")
struct JournalTests {
    /// Every path of the mount and its row.
    private func tree(_ system: TestFileSystem, _ directory: ResourceID = .root) throws -> [String: Resource] {
        var found: [String: Resource] = [:]
        for entry in try system.core.list(directory, after: 0, limit: 1000) {
            let name = String(decoding: entry.name, as: UTF8.self)
            found[name] = entry.resource
            guard entry.resource.kind == .directory else { continue }
            for (path, row) in try tree(system, entry.resource.id) { found[name + "/" + path] = row }
        }
        return found
    }

    private func expectRebuilt(
        _ system: TestFileSystem, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let rebuilt = try await Rebuilt(system)
        let (paths, tree) = (rebuilt.paths, try tree(system))
        #expect(Set(paths.keys) == Set(tree.keys), sourceLocation: sourceLocation)
        for (path, row) in tree {
            let record = try #require(paths[path], "\(path)", sourceLocation: sourceLocation)
            #expect(
                record.id == row.id.rawValue && record.kind == row.kind && record.mode == row.mode
                    && record.uid == row.uid && record.gid == row.gid && record.size == row.size
                    && record.modified == row.modified && record.status == row.status
                    && record.target == row.target, "\(path)", sourceLocation: sourceLocation)
            if let version = try system.core.catalogue.storedVersion(of: row) {
                #expect(record.content?.key == version.key, "\(path)", sourceLocation: sourceLocation)
                #expect(record.content?.sha256 == version.sha256, "\(path)", sourceLocation: sourceLocation)
                #expect(system.memory[version.key] != nil, "\(path)", sourceLocation: sourceLocation)
            }
            for name in try system.core.xattrNames(row.id) {
                #expect(
                    rebuilt.xattrs[row.id.rawValue]?[name.bytes] == (try system.core.xattr(row.id, name)), "\(path)",
                    sourceLocation: sourceLocation)
            }
        }
    }

    /// A bit of everything that changes names and attributes.
    private func change(_ system: TestFileSystem) async throws {
        try system.makeDirectory("shop")
        try system.makeDirectory("shop/2023")
        try await system.write("shop/2023/a.jpg", photo(1))
        try await system.write("b.jpg", photo(2))
        try await system.core.syncJournal()
        _ = try system.core.makeNode(
            .symlink, Dentry(.root, Array("link".utf8)),
            NewAttributes(mode: 0o777, uid: 0, gid: 0, target: Array("b.jpg".utf8)))
        _ = try system.core.setAttributes(
            system.id("b.jpg"), AttributeChanges(mode: 0o600, modified: .to(5_000_000_007)))
        try system.core.setXattr(system.id("b.jpg"), "user.tag", [1, 0, 255], mode: .any)
        try system.core.setXattr(system.id("shop"), "user.gone", [1], mode: .any)
        try system.rename("shop/2023", "2024")
        try await system.core.syncJournal()
        try system.core.removeXattr(system.id("shop"), "user.gone")
        try await system.write("b.jpg", photo(3, size: 77))
        try await system.write("c.jpg", photo(4))
        try system.remove("c.jpg")
        try system.rename("b.jpg", "2024/a.jpg")
        try system.remove("shop", directory: true)
    }

    @Test("I9: the segments in order give the names, the attributes and the objects of the catalogue")
    func rebuilds() async throws {
        try await TestFileSystem.run { system in
            try await change(system)
            try await system.settle()
            try await system.core.syncJournal()
            try await expectRebuilt(system)
            let rebuilt = try await Rebuilt(system)
            #expect(Set(rebuilt.paths.keys) == ["2024", "2024/a.jpg", "link"])
            #expect(rebuilt.paths["2024/a.jpg"]?.size == 77)
            // Deletions are told, or the dead would come back.
            #expect(rebuilt.resources.values.count { $0.status == .deleted } == 3)
            #expect(try await system.core.operatorDesk.status().pending.journal == 0)
        }
    }

    @Test("I9: a creation that is taken back leaves nothing in what is rebuilt")
    func takenBack() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            let dentry = try system.place("shop/a.jpg")
            let row = try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.create(.file, dentry, anybody, now: 1)
            }
            try await system.core.syncJournal()
            #expect(try await Rebuilt(system).paths["shop/a.jpg"] != nil)
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.undoCreate(row.id, now: 2)
            }
            try await system.core.syncJournal()
            try await expectRebuilt(system)
            #expect(try await Rebuilt(system).resources[row.id.rawValue] == nil)
        }
    }

    @Test("I9: segments whose answers were lost, outages and restarts leave no gap and no wrong order")
    func faults() async throws {
        try await TestFileSystem.run { system in
            let segments = KeyPattern.prefix(".backupfs/journal/")
            system.store.inject(.loseAnswer, on: [.put], keys: segments, count: 2)
            system.store.inject(.fail(.rejected(.status(400), message: "")), on: [.put], keys: segments, count: 2)
            try system.makeDirectory("first")
            try await system.eventually("the journal is shipped in spite of it") {
                (try? await system.core.syncJournal()) != nil
            }
            try await expectRebuilt(system)
            try await change(system)
            try await system.restart()
            try await system.write("d.jpg", photo(5))
            try await system.crash()
            try await system.mount()
            try system.rename("d.jpg", "e.jpg")
            try await system.settle()
            try await system.core.syncJournal()
            try await expectRebuilt(system)
        }
    }

    @Test("fsync of a directory returns when every change so far is in backup, and fails if it cannot be")
    func syncWaits() async throws {
        try await TestFileSystem.run { system in
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix(".backupfs/journal/"))
            try system.makeDirectory("shop")
            let core = system.core
            let sync = Task {
                try await core.syncJournal()
                return try await Rebuilt(system).paths["shop"] != nil
            }
            await gate.reached()
            #expect(try await system.core.operatorDesk.status().pending.journal > 0)
            gate.open()
            #expect(try await sync.value)
            system.store.heal()
            system.store.inject(.fail(down), on: [.put])
            try system.makeDirectory("other")
            await #expect(throws: FileSystemError.backup(down)) { try await core.syncJournal() }
            #expect(core.counters.now.journalFailures > 0)
        }
    }

    @Test("An unmount ships what is left of the journal")
    func unmountShips() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.restart()
            #expect(try await Rebuilt(system).paths["shop"] != nil)
        }
    }

    @Test("I15: an object goes only after the segment that makes it obsolete is stored")
    func removalAfterJournal() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            try await system.settle()
            let (old, gone) = (try system.key("a.jpg"), try system.key("b.jpg"))
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix(".backupfs/journal/"))
            try await system.write("a.jpg", photo(3))
            try system.remove("b.jpg")
            await gate.reached()
            // Both are handed over to their removal, which waits.
            try await system.eventually("both wait") {
                try await system.core.operatorDesk.status().pending.removals >= 2
            }
            let due = try system.core.catalogue.dueRemovals(now: .max, limit: 10)
            #expect(due.isEmpty && system.memory.count(.delete) == 0)
            #expect(system.keys.contains(old) && system.keys.contains(gone))
            gate.open()
            try await system.settle()
            #expect(system.keys == [try system.key("a.jpg")])
        }
    }

    @Test("I15: what was to be told when the daemon died is told, and then removed, by the next one")
    func removalAfterJournalAndCrash() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.settle()
            system.store.inject(.fail(.unreachable(reason: "test")), on: [.put], keys: .prefix(".backupfs/journal/"))
            try await system.write("a.jpg", photo(2))
            try system.commitRecords()
            #expect(system.keys.count == 2)
            try await system.crash()
            try await system.mount()
            try await system.settle()
            #expect(system.keys == [try system.key("a.jpg")])
        }
    }
}
