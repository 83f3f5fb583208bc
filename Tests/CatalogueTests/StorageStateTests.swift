import Testing

@testable import Catalogue

@Suite("Where the bytes are")
struct StorageStateTests {
    let temporary: TemporaryCatalogue
    var catalogue: SQLiteCatalogue { temporary.catalogue }

    init() throws { temporary = try TemporaryCatalogue() }

    func version(_ id: String, of resource: Resource) -> Version {
        Version(
            id: VersionID(id), resource: resource.id, key: "photo~\(id).jpg", size: 3,
            sha256: Array(repeating: 7, count: 32), state: .uploading)
    }

    func upload(_ version: Version, stillChanging: Bool = false) throws {
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            _ = try writer.beginUpload(version, now: 200) { _ in false }
        }
        let seen = try #require(
            try catalogue.read { reader throws(CatalogueError) in try reader.resource(version.resource) })
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            _ = try writer.commitUpload(
                version, main: .init(inode: 9, size: 3, modified: 150), seen: seen, stillChanging: stillChanging,
                now: 201)
        }
    }

    @Test("A resource is created only when main and backup are complete; a second version sends the first away")
    func lifeOfVersions() throws {
        let file = try temporary.create("a.jpg")
        #expect(file.status == .creating && !file.inMain && !file.inBackup)
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in try writer.markInMain(file.id, inode: 7)
        }
        #expect(try temporary.lookup("a.jpg")?.status == .creating)
        try upload(version("v1", of: file))
        let stored = try #require(try temporary.lookup("a.jpg"))
        #expect(stored.status == .created && stored.inMain && stored.inBackup && !stored.needsUpload)
        #expect(stored.size == 3 && stored.modified == 150 && stored.version == VersionID("v1"))

        try upload(version("v2", of: file), stillChanging: true)
        #expect(try temporary.lookup("a.jpg")?.needsUpload == true)
        let removals = try catalogue.read { reader throws(CatalogueError) in try reader.dueRemovals(now: 999, limit: 9)
        }
        #expect(removals.map(\.version.id) == [VersionID("v1")])
    }

    @Test("A failed upload is taken up again under its key; with another content it is abandoned")
    func retriedUpload() throws {
        let file = try temporary.create("a.jpg")
        func begin(_ id: String, content: UInt8, isSameKey: Bool = true) throws -> VersionID {
            var version = version(id, of: file)
            version.sha256 = Array(repeating: content, count: 32)
            let new = version
            return try catalogue.change(.processCrash) { writer throws(CatalogueError) in
                try writer.beginUpload(new, now: 5) { _ in isSameKey }.version
            }.id
        }
        #expect(try begin("v1", content: 1) == VersionID("v1"))
        #expect(try begin("v2", content: 1) == VersionID("v1"))
        #expect(try begin("v3", content: 2) == VersionID("v3"))
        #expect(try begin("v4", content: 2, isSameKey: false) == VersionID("v4"))
        let states = try catalogue.read { reader throws(CatalogueError) in
            try reader.versions(of: file.id).map { "\($0.id) \($0.state)" }
        }
        #expect(states == ["v1 abandoned", "v3 abandoned", "v4 uploading"])
        let due = try catalogue.read { reader throws(CatalogueError) in try reader.dueRemovals(now: 9, limit: 9) }
        #expect(due.map(\.version.id) == [VersionID("v1"), VersionID("v3")])
        // Nobody knows whether they are stored: a leftover once their removal has failed.
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.recordRemovalFailure(VersionID("v1"), error: "unreachable", next: 99, now: 9)
        }
        #expect(try leftovers().map(\.reason) == [.abandonedVersion])
        #expect(try leftovers().first?.lastError == "unreachable")
    }

    @Test("An upload that ends after the delete leaves its object to be removed")
    func uploadOfDeleted() throws {
        let file = try temporary.create("a.jpg")
        let late = version("v1", of: file)
        _ = try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            _ = try writer.beginUpload(late, now: 1) { _ in false }
        }
        _ = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.delete(parent: .root, name: Array("a.jpg".utf8), directory: false, now: 2)
        }
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            _ = try writer.commitUpload(late, main: nil, seen: file, stillChanging: false, now: 3)
        }
        let row = try catalogue.read { reader throws(CatalogueError) in try reader.resource(file.id) }
        #expect(row?.status == .deleted && row?.inBackup == false)
        #expect(
            try catalogue.read { reader throws(CatalogueError) in try reader.dueRemovals(now: 9, limit: 9) }.count == 1)
    }

    @Test("An upload that was given up while it ran is not stored: its object may be gone by then")
    func uploadGivenUp() throws {
        let file = try temporary.create("a.jpg")
        try upload(version("v1", of: file))
        let late = version("v2", of: file)
        let outcome = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            _ = try writer.beginUpload(late, now: 1) { _ in false }
            try writer.settleUpload(file.id, now: 2)
            return try writer.commitUpload(late, main: nil, seen: file, stillChanging: false, now: 3)
        }
        #expect(outcome == nil)
        #expect(try temporary.lookup("a.jpg")?.version == VersionID("v1"))
        let due = try catalogue.read { reader throws(CatalogueError) in try reader.dueRemovals(now: 9, limit: 9) }
        #expect(due.map(\.version.id) == [VersionID("v2")])
    }

    private func leftovers() throws -> [Leftover] {
        try catalogue.read { reader throws(CatalogueError) in
            try reader.leftovers(from: .start, limit: 9).page
                + reader.leftovers(from: .versions(after: 0, ""), limit: 9).page
        }
    }

    @Test("Leftovers: what failed to reach backup, and what is deleted and still stored")
    func whatDoesNotMatch() throws {
        let file = try temporary.create("a.jpg")
        let other = try temporary.create("b.jpg")
        try upload(version("vb", of: other))
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.markInMain(file.id, inode: 7)
            try writer.recordFailure(file.id, error: "no answer", next: 900, now: 500)
        }
        _ = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.delete(parent: .root, name: Array("b.jpg".utf8), directory: false, now: 600)
        }
        let leftovers = try leftovers()
        #expect(leftovers.map(\.reason) == [.notInBackup, .deletedButStored])
        #expect(leftovers.map(\.since) == [500, 600])
        #expect(leftovers.first?.lastError == "no answer")
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.markDeletedNotInMain(other.id)
            try writer.forgetVersion(VersionID("vb"))
        }
        #expect(try self.leftovers().count == 1)
    }

    @Test("What is found out late about a live file changes nothing of a deleted one")
    func lateFindings() throws {
        let file = try temporary.create("a.jpg")
        try upload(version("va", of: file))
        try catalogue.change(.processCrash, .markMainCopy(file.id, inode: 7, modified: 5))
        let seen = try catalogue.row(file.id)
        try catalogue.change(.processCrash, .markMainCopy(file.id, inode: 8, modified: 5))
        // Main has got another copy since.
        try catalogue.change(.processCrash, .markNotInMain(seen))
        #expect(try catalogue.row(file.id).inMain)
        _ = try catalogue.change(
            .powerLoss, .delete(parent: .root, name: Array("a.jpg".utf8), directory: false, now: 600))
        let deleted = try catalogue.row(file.id)
        try catalogue.change(.processCrash, .markNotInMain(deleted))
        try catalogue.change(.processCrash, .settle(file.id))
        let isLost = try catalogue.change(.processCrash, .loseChange(file.id, error: "lost", now: 700) { true })
        #expect(!isLost)
        #expect(try catalogue.row(file.id) == deleted)
        #expect(try catalogue.dueResources(now: 600, limit: 10).map(\.resource.id) == [file.id])
    }

    @Test("Every change of names, attributes and xattrs is in the next journal segment, once, and decodes again")
    func journal() throws {
        let file = try temporary.create("a\n\u{1F4F7}.jpg")
        try temporary.create("link", kind: .symlink, target: "a b")
        try upload(version("v1", of: file))
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.setXattr(file.id, "user.note", [0, 255], now: 300)
        }
        _ = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.rename(
                from: .root, Array("link".utf8), to: .root, Array("other".utf8), noReplace: false, now: 301)
        }
        let batch = try #require(
            try catalogue.read { reader throws(CatalogueError) in try reader.journalBatch(limit: 1000) })
        #expect(try JournalSegment.decode(JournalSegment.encode(batch.records)) == batch.records)
        #expect(
            batch.records.contains(.name(parent: 1, name: Array("a\n\u{1F4F7}.jpg".utf8), resource: file.id.rawValue)))
        #expect(batch.records.contains(.removedName(parent: 1, name: Array("link".utf8))))
        #expect(batch.records.contains(.xattr(resource: file.id.rawValue, name: "user.note", value: [0, 255])))
        let states = batch.records.compactMap { record in
            if case .resource(let state) = record, state.id == file.id.rawValue { state } else { nil }
        }
        #expect(states.map(\.key) == ["photo~v1.jpg"])
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in try writer.shipped(batch) }
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.journalBatch(limit: 1000) } == nil)
    }

    @Test("A damaged segment is refused")
    func damagedSegment() {
        let segment = JournalSegment.encode([.erasedResource(id: 7)])
        #expect(throws: JournalSegment.Damaged()) { try JournalSegment.decode(Array(segment.dropLast(4))) }
        var flipped = segment
        flipped[flipped.count / 2] ^= 0x40
        #expect(throws: JournalSegment.Damaged()) { try JournalSegment.decode(flipped) }
    }
}
