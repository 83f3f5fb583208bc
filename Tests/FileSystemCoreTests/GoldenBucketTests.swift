// A bucket as this format's first version left it: later versions must restore it. It is never changed once it has shipped; a
// new format gets a file of its own, made with BACKUPFS_WRITE_GOLDEN=FILE.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Buckets of earlier versions")
struct GoldenBucketTests {
    private struct Bucket: Codable {
        struct Object: Codable {
            var key: String
            var bytes: Data
            var metadata: [String: String]
        }

        var objects: [Object]
        /// Each path's kind, mode, target and number.
        var paths: [String: String]
        /// Each file's bytes.
        var contents: [String: Data]
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    @Test("I9: what the bucket of an earlier version holds is restored", arguments: ["bucket-2.json"])
    func restores(name: String) async throws {
        let golden = try JSONDecoder().decode(Bucket.self, from: Data(contentsOf: Self.folder.appending(path: name)))
        let memory = MemoryStore()
        for object in golden.objects {
            memory[object.key] = .init(
                bytes: [UInt8](object.bytes), attributes: ObjectAttributes(metadata: object.metadata))
        }
        // A snapshot, merged segments, and segments as they were sent.
        let keys = memory.keys.compactMap { JournalKey($0) }
        #expect(keys.contains { $0.first == 0 } && keys.contains { $0.first == $0.id.number })
        try await TestFileSystem.run(memory: memory, mounting: false) { system in
            let report = try await system.restore()
            #expect(report.gaps.isEmpty && report.lostAndFound == 0)
            try await system.mount()
            #expect(try system.paths(withNumbers: true) == golden.paths)
            for (path, bytes) in golden.contents {
                #expect(try await system.read(path) == [UInt8](bytes), "\(path)")
            }
            try await system.swept()
            #expect(try system.paths(withNumbers: true) == golden.paths)
        }
    }

    @Test(
        "A golden bucket is written",
        .enabled(if: getenv("BACKUPFS_WRITE_GOLDEN") != nil, "only when BACKUPFS_WRITE_GOLDEN names a file"))
    func write() async throws {
        let target = try #require(ProcessInfo.processInfo.environment["BACKUPFS_WRITE_GOLDEN"])
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            try await system.write("shop/a.jpg", photo(1, size: 40))
            try await system.write("gone.jpg", photo(2, size: 40))
            try system.remove("gone.jpg")
            try await system.core.syncJournal()
            _ = try await system.core.desk.snapshots(isNew: true)
            try await system.write("b \u{1F4F7}.jpg", photo(3, size: 50))
            _ = try system.core.link(try system.id("shop/a.jpg"), Dentry(.root, Array("again.jpg".utf8)))
            try await system.core.syncJournal()
            _ = try system.core.makeNode(
                .symlink, Dentry(.root, Array("link".utf8)),
                NewAttributes(mode: 0o777, uid: 0, gid: 0, target: Array("shop/a.jpg".utf8)))
            try system.core.setXattr(
                system.id("shop"), XattrName([0x75, 0x73, 0x65, 0x72, 0x2E, 0xFE]), [0, 1], mode: .any)
            try system.rename("shop", "2024")
            try await system.write("b \u{1F4F7}.jpg", photo(4, size: 30))
            try await system.settle()
            await system.stop()
            try await system.mount()
            let paths = try system.paths(withNumbers: true)
            var contents: [String: Data] = [:]
            for (path, what) in paths where what.hasPrefix("file") {
                contents[path] = Data(try await system.read(path))
            }
            await system.stop()
            let objects = system.memory.keys.compactMap { key in
                system.memory[key].map {
                    Bucket.Object(key: key, bytes: Data($0.bytes), metadata: $0.attributes.metadata)
                }
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(Bucket(objects: objects, paths: paths, contents: contents))
                .write(to: URL(filePath: target))
        }
    }
}
