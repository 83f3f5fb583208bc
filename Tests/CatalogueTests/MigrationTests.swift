import Foundation
import GRDB
import Testing

@testable import Catalogue

@Suite("Catalogues of earlier versions")
struct MigrationTests {
    @Test(
        "Each earlier schema is brought forward, and what is in it is kept",
        arguments: ["1 resources", "2 followed intents", "3 counting"])
    func forward(schema: String) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let old = try DatabasePool(path: directory.appending(path: "catalogue.sqlite").path)
        try Schema.migrator.migrate(old, upTo: schema)
        try old.write { database in
            try database.execute(
                sql: """
                    INSERT INTO rename_intent (resource, source_parent, source_name, target_parent, target_name)
                        VALUES (7, 1, x'61', 1, x'62');
                    INSERT INTO name_intent (resource, parent, name) VALUES (7, 1, x'63');
                    """)
        }
        try old.close()
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        let catalogue = try ResourceCatalogue(directory: descriptor)
        let (renames, names) = try catalogue.read { reader throws(CatalogueError) in
            (try reader.renameIntents(), try reader.nameIntents())
        }
        #expect(renames.map(\.targetName) == [[0x62]] && renames.allSatisfy { !$0.isFollowed })
        #expect(names.map(\.name) == [[0x63]] && names.allSatisfy { !$0.isFollowed })
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.multipartUploads() }.isEmpty)
        try catalogue.close()
    }
}
