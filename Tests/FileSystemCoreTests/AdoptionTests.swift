// A MAIN that held files before BackupFS came.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Adoption of what main holds")
struct AdoptionTests {
    /// A tree of ten files, one of them under two names.
    private func plantTree(_ system: TestFileSystem) throws {
        for directory in ["shop", "shop/2023", "empty"] {
            try FileManager.default.createDirectory(
                atPath: system.mainPath(directory), withIntermediateDirectories: false)
        }
        for index in 0..<8 { try system.plant("shop/2023/\(index).jpg", photo(index)) }
        try system.plant("shop/linked.jpg", photo(8))
        #expect(link(system.mainPath("shop/linked.jpg"), system.mainPath("other name.jpg")) == 0)
        try system.plant("empty.txt", [])
        #expect(symlink("shop/2023/0.jpg", system.mainPath("link")) == 0)
        #expect(chmod(system.mainPath("shop/2023/0.jpg"), 0o604) == 0)
        let times = [timespec(tv_sec: 1_000_000, tv_nsec: 5), timespec(tv_sec: 1_000_000, tv_nsec: 6)]
        #expect(utimensat(AT_FDCWD, system.mainPath("shop/2023/0.jpg"), times, 0) == 0)
    }

    @Test("Files, directories and links get rows with their attributes, and the files are backed up")
    func adopted() async throws {
        try await TestFileSystem.run(prepare: plantTree) { system in
            let first = try #require(try system.row("shop/2023/0.jpg"))
            #expect(first.mode == 0o604 && first.modified == 1_000_000_000_000_006 && first.size == 5000)
            #expect(try system.row("empty")?.kind == .directory)
            #expect(try system.core.readLink(system.id("link")) == Array("shop/2023/0.jpg".utf8))
            #expect(try system.row("other name.jpg")?.id == system.row("shop/linked.jpg")?.id)
            #expect(try system.row("shop/linked.jpg")?.linkCount == 2)
            #expect(try system.core.lookup(Dentry(.root, MainStorage.reservedName)) == nil)
            try await system.settle()
            for index in 0..<8 { #expect(try system.inBackup("shop/2023/\(index).jpg") == photo(index)) }
            #expect(try system.inBackup("empty.txt") == [])
            #expect(system.keys.count == 10)
            let object = try #require(system.memory[try system.key("shop/2023/0.jpg")])
            #expect(object.attributes.metadata["mtime"] == "1000000.000000006")
            let status = try await system.core.operatorDesk.status()
            #expect(status.adoption == .init(files: 10, backedUp: 10))
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
        }
    }

    @Test("I10: adopted files are read at once, while their uploads hang; status tells how far they are")
    func readBeforeUpload() async throws {
        try await TestFileSystem.run(mounting: false, prepare: plantTree) { system in
            let gate = Gate()
            try await system.openUnstarted { _ = $0.inject(.hold(gate), on: [.put], keys: .prefix("shop/")) }
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start()
            await gate.reached()
            #expect(try await system.read("shop/2023/3.jpg") == photo(3))
            // Two at most do not wait at the gate: what is not below `shop`.
            let adoption = try await system.core.operatorDesk.status().adoption
            #expect(adoption.files == 10 && adoption.backedUp <= 2)
            gate.open()
            try await system.settle()
            #expect(try await system.core.operatorDesk.status().adoption == .init(files: 10, backedUp: 10))
        }
    }

    @Test("I6: after a crash in the middle of adoption the rest is adopted, and nothing twice")
    func crashDuringAdoption() async throws {
        try await TestFileSystem.run(mounting: false, prepare: plantTree) { system in
            try await system.openUnstarted()
            let known = try system.core.main.entries([])
            try system.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
                for entry in known where entry.name == Array("shop".utf8) || entry.name == Array("empty.txt".utf8) {
                    guard let kind = entry.kind else { continue }
                    _ = try writer.adopt(kind, Dentry(.root, entry.name), entry.attributes, isFirst: true)
                }
            }
            let before = (try system.id("shop"), try system.id("empty.txt"))
            try await system.crash()
            try await system.mount()
            #expect(try system.id("shop") == before.0 && system.id("empty.txt") == before.1)
            #expect(try system.core.list(.root, after: 0, limit: 100).count == 5)
            #expect(try system.core.list(system.id("shop/2023"), after: 0, limit: 100).count == 8)
            try await system.settle()
            #expect(system.keys.count == 10)
        }
    }

    @Test("I6: after a crash while adopted files are uploaded each is in backup once")
    func crashDuringUploads() async throws {
        try await TestFileSystem.run(mounting: false, prepare: plantTree) { system in
            let gate = Gate()
            try await system.openUnstarted { _ = $0.inject(.holdAnswer(gate), on: [.put], keys: .prefix("shop/")) }
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start()
            await gate.reached(3)
            try await system.crash()
            try await system.mount()
            try await system.settle()
            gate.open()
            #expect(system.keys.count == 10)
            #expect(try await system.core.operatorDesk.status().adoption == .init(files: 10, backedUp: 10))
        }
    }

    @Test("I8: main is adopted once; what is put there later behind the mount is not shown")
    func adoptedOnce() async throws {
        try await TestFileSystem.run(prepare: plantTree) { system in
            try await system.settle()
            await system.stop()
            try system.plant("late.jpg", photo(9))
            try await system.mount()
            #expect(try system.row("late.jpg") == nil)
            #expect(system.inMain("late.jpg") == photo(9))
            #expect(try await system.core.operatorDesk.status().adoption.files == 10)
        }
    }

    @Test("I3: an adopted file that is overwritten before its upload is backed up as it is then")
    func overwrittenBeforeUpload() async throws {
        try await TestFileSystem.run(mounting: false) { system in
            try system.plant("a.jpg", photo(1))
            let gate = Gate()
            try await system.openUnstarted { _ = $0.inject(.hold(gate), on: [.put], keys: .prefix("a~"), count: 1) }
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            try system.start()
            await gate.reached()
            async let written: Void = system.write("a.jpg", photo(2))
            gate.open()
            try await written
            #expect(try system.inBackup("a.jpg") == photo(2))
            try await system.settle()
            #expect(system.keys.count == 1)
        }
    }
}
