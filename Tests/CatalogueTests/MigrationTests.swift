import Foundation
import GRDB
import Testing

@testable import Catalogue

@Suite("Catalogues of earlier versions")
struct MigrationTests {
    @Test("Each migration has a golden catalogue")
    func complete() {
        #expect(Schema.migrator.migrations == Golden.stages)
    }

    @Test("A migration that has shipped makes the schema that it made then", arguments: Golden.stages)
    func frozen(stage: String) throws {
        let fresh = try DatabaseQueue()
        try Schema.migrator.migrate(fresh, upTo: stage)
        #expect(try Golden.schema(fresh) == Golden.schema(Golden.catalogue(stage)))
    }

    @Test(
        "A migration makes of the rows before it what it made then",
        arguments: zip(Golden.stages, Golden.stages.dropFirst()))
    func rows(stage: String, next: String) throws {
        let migrated = try Golden.catalogue(stage)
        try Schema.migrator.migrate(migrated, upTo: next)
        #expect(try Golden.rows(migrated).subtracting(Golden.rows(Golden.catalogue(next))).isEmpty)
    }

    @Test("Each earlier catalogue is brought forward, and what is in it is kept", arguments: Golden.stages)
    func forward(stage: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try Golden.catalogue(stage, at: directory.appending(path: "catalogue.sqlite").path).close()
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        let catalogue = try SQLiteCatalogue(directory: descriptor)
        try catalogue.checkIntegrity()
        try catalogue.read { reader throws(CatalogueError) in
            try expectFiles(reader)
            try expectVersions(reader)
            try expectIntents(reader, isFollowedKnown: stage != Golden.stages[0])
            try expectWork(reader, reached: Golden.stages.firstIndex(of: stage) ?? 0)
        }
        try catalogue.close()
    }

    /// The names lead to the files, and these are as they were.
    private func expectFiles(_ reader: CatalogueReader) throws(CatalogueError) {
        let file = try reader.resource(atPath: [Array("d".utf8), Array("a.jpg".utf8)])
        #expect(file?.id == ResourceID(2) && file?.status == .created && file?.size == 5 && file?.mode == 0o644)
        #expect(file?.modified == 1_700_000_000_000_000_002 && file?.mainInode == 77 && file?.linkCount == 2)
        #expect(try reader.lookup(Dentry(.root, Array("again.jpg".utf8)))?.id == file?.id)
        #expect(try reader.xattr(ResourceID(2), "user.title") == [0x00, 0xFF, 0x61])
        let bytes = XattrName([0x75, 0x2E, 0xFE])
        #expect(
            try reader.xattr(ResourceID(2), bytes) == (try reader.xattrNames(ResourceID(2)).contains(bytes) ? [1] : nil)
        )
        let waiting = try reader.lookup(Dentry(.root, [0x62, 0xFF]))
        #expect(waiting?.status == .creating && waiting?.needsUpload == true)
        #expect(waiting?.lastError == "it cannot be reached")
        #expect(try reader.attempts(ResourceID(3)) == 3)
        #expect(try reader.lookup(Dentry(.root, Array("l".utf8)))?.target == [0x2F, 0x6E, 0xFF])
        #expect(try reader.lookup(Dentry(.root, Array("null".utf8)))?.device == 259)
        #expect(try reader.resource(ResourceID(6))?.deletedAt == 53)
        #expect(try reader.deletedLocation(of: ResourceID(6))?.name == Array("gone".utf8))
        // Rows 4 and 5 were adopted; that is a column since the fourth migration.
        #expect(try reader.isAdopted(ResourceID(4)))
        #expect(try reader.isAdopted(ResourceID(3)) == false)
        #expect(try reader.setting("backup") == "s3://photos/2023")
    }

    /// What is in backup is known, and what has to go is due.
    private func expectVersions(_ reader: CatalogueReader) throws(CatalogueError) {
        let stored = try reader.version(VersionID("0a3kq1v7x2mf"))
        #expect(stored?.key == "d/a~0a3kq1v7x2mf.jpg" && stored?.size == 5)
        #expect(stored?.sha256 == [UInt8](repeating: 0xAA, count: 32))
        #expect(try reader.versions(of: ResourceID(2)).count == 3)
        #expect(try reader.unwantedVersions(of: ResourceID(2)).count == 2)
        #expect(try reader.hasBegunUpload(ResourceID(3)))
        let due = try reader.dueRemovals(now: 800, limit: 10).map(\.version.id.description)
        #expect(Set(due) == ["0a3kq1v7x2me", "0a3kq1v7x2md"])
    }

    /// Changes of names that main may not have followed; the second of each kind came with the second migration.
    private func expectIntents(_ reader: CatalogueReader, isFollowedKnown: Bool) throws(CatalogueError) {
        let renames = try reader.renameIntents()
        #expect(renames.map(\.target.name) == (isFollowedKnown ? [[0x63], [0x6C]] : [[0x63]]))
        #expect(renames.map(\.isFollowed) == (isFollowedKnown ? [false, true] : [false]))
        let names = try reader.nameIntents()
        #expect(
            names.map(\.dentry.name)
                == (isFollowedKnown ? ["again.jpg", "a.jpg"] : ["again.jpg"]).map { Array($0.utf8) })
        #expect(names.map(\.isFollowed) == (isFollowedKnown ? [false, true] : [false]))
    }

    /// What is counted and pending; the fourth migration's version added a file, and what it had set aside.
    private func expectWork(_ reader: CatalogueReader, reached stage: Int) throws(CatalogueError) {
        let counts = try reader.counts()
        let added = stage >= 3 ? 1 : 0
        #expect(counts.creating == 1 + added && counts.created == 5 && counts.deleted == 1)
        #expect(counts.pendingUploads == 1 + added && counts.pendingJournal == 13 + 2 * added + (stage >= 7 ? 1 : 0))
        #expect(counts.aside == 2 * added)
        #expect(try reader.unsettledAside().map(\.id) == (added == 1 ? [2] : []))
        #expect(try reader.setAside(1)?.reason == (added == 1 ? .damaged : nil))
        #expect(try reader.multipartUploads().map(\.id) == (stage >= 5 ? ["2~upload"] : []))
        // What waits for the journal can be shipped.
        var told = 0
        try reader.journal { _ in told += 1 }
        #expect(told == counts.pendingJournal)
    }
}
