// Names are input, whoever wrote them into the catalogue: none leads out of the directory it is used in.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("One door for names")
struct FileNameTests {
    private static let wrong = ["", ".", "..", "../victim", "a/b", "/etc", "a\0b"]

    @Test("What is no name of an entry is no place in main, so it reaches no system call", arguments: wrong)
    func refused(_ name: String) async throws {
        try await TestFileSystem.run { system in
            let root = system.core.main.root
            #expect(!MainEntry.isName(Array(name.utf8)))
            #expect(throws: FileSystemError.main(errno: EINVAL, during: "using a name")) {
                try MainEntry(root, Array(name.utf8))
            }
        }
    }

    @Test("I11: a deleted row whose name was changed to one outside MAIN removes nothing there")
    func tamperedDelete() async throws {
        try await TestFileSystem.run { system in
            let victim = system.main + "-victim"
            #expect(FileManager.default.createFile(atPath: victim, contents: Data([1])))
            defer { try? FileManager.default.removeItem(atPath: victim) }
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            _ = await system.core.lifecycle.scheduler.stop(until: .now + .seconds(120))
            try system.recordDelete("a.jpg")
            let name = Array("../\((victim as NSString).lastPathComponent)".utf8)
            try system.core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.run("UPDATE resource SET deleted_name = ? WHERE id = ?", [Data(name), id.rawValue])
            }
            await system.core.remover.finishDeletes([try system.row(id)])
            try system.commitRecords()
            #expect(FileManager.default.fileExists(atPath: victim))
            #expect(system.core.counters.now.removalsFailed == 1)
        }
    }

    @Test("The schema refuses such names of entries", arguments: wrong)
    func schema(_ name: String) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            #expect(throws: CatalogueError.self) {
                try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                    try writer.run("UPDATE name SET name = ?", [Data(name.utf8)])
                }
            }
        }
    }
}
