// Whatever a file is called, its object's key is one that every store keeps unchanged.

import Foundation
import Logging
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Keys and metadata of objects", .timeLimit(.minutes(40)))
struct ObjectKeyTests {
    private static let version = VersionID("0a3kq1v7x2mf")

    private static func key(_ path: [[UInt8]], limit: Int = 1024) -> String {
        ObjectKey.make(path: path, version: version, limit: limit)
    }

    @Test("A key is the path, cleaned, with the version before the extension")
    func examples() {
        func key(_ names: String...) -> String { Self.key(names.map { Array($0.utf8) }) }
        #expect(key("shop", "2023", "IMG_1.jpg") == "shop/2023/IMG_1~0a3kq1v7x2mf.jpg")
        #expect(key(".IMG_1.jpg.Ab12Cd") == "IMG_1~0a3kq1v7x2mf.jpg")
        #expect(key("..a", ".b") == "_.a/_b~0a3kq1v7x2mf")
        #expect(key("é b.jpg") == "___b~0a3kq1v7x2mf.jpg")
        #expect(key("a~b", "c") == "a_b/c~0a3kq1v7x2mf")
    }

    @Test(
        "Every key is made of plain names, none of them hidden or a way up, and within the limit",
        arguments: [1024, 512, 128])
    func clean(_ limit: Int) {
        for name in NastyNames.all {
            for path in [[name], [name, name], Array(repeating: name, count: 16)] {
                let key = Self.key(path, limit: limit)
                #expect(key.utf8.count <= limit)
                let parts = key.split(separator: "/", omittingEmptySubsequences: false)
                #expect(parts.last?.contains("~\(Self.version)") == true)
                for part in parts {
                    #expect(part.wholeMatch(of: /[A-Za-z0-9_~-][A-Za-z0-9._~-]*/) != nil)
                    #expect(!part.hasSuffix("."))
                }
                for part in parts.dropLast() { #expect(!part.contains("~")) }
            }
        }
    }

    @Test("A path that is too long loses its outermost directories, never its name")
    func long() {
        let deep = (0..<16).map { Array("\($0)".utf8) + [UInt8](repeating: 0x64, count: 200) }
        let key = Self.key(deep + [Array("IMG_1.jpg".utf8)], limit: 1024)
        #expect(key.utf8.count <= ObjectKey.readableLength)
        #expect(key.hasSuffix("/IMG_1~0a3kq1v7x2mf.jpg"))
        #expect(key.hasPrefix("9ddd"))
    }

    @Test("Metadata is printable ASCII and at most 2 KB, however long the path; the path is there if it fits")
    func metadata() throws {
        let row = try Self.row()
        for name in NastyNames.all {
            for path in [[name], Array(repeating: name, count: 16)] {
                let attributes = Self.attributes(row, path)
                let size = attributes.metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
                #expect(size <= 2048)
                for value in attributes.metadata.values {
                    #expect(value.utf8.allSatisfy { (0x21...0x7e).contains($0) })
                }
                if path.count == 1 {
                    let encoded = try #require(attributes.metadata["backupfs-path"])
                    #expect(Self.decoded(encoded) == TemporaryName.final(of: name))
                }
            }
        }
    }

    @Test("Every store keeps objects of files with such names, with their metadata", arguments: ["file", "s3"])
    func stores(_ kind: String) async throws {
        guard let store = try Self.store(kind) else { return }
        let row = try Self.row()
        var wanted: [String: String?] = [:]
        for name in NastyNames.all {
            for path in [[name], Array(repeating: name, count: 16)] {
                let key = ObjectKey.make(
                    path: path, version: VersionID(now: Nanoseconds(wanted.count) << 40), limit: store.longestKey)
                let attributes = Self.attributes(row, path)
                try await store.put(key, .bytes(name), attributes, deadline: .now + .seconds(60))
                let summary = try await store.head(key, deadline: .now + .seconds(60))
                #expect(summary == ObjectSummary(size: Int64(name.count), metadata: attributes.metadata))
                wanted[key] = attributes.metadata["backupfs-path"]
            }
        }
        #expect(wanted.count == 2 * NastyNames.all.count)
        let listed = try await store.list(prefix: "", after: nil, deadline: .now + .seconds(60)).map(\.key)
        #expect(Set(listed) == Set(wanted.keys))
        for key in wanted.keys { try await store.delete(key, deadline: .now + .seconds(60)) }
        #expect(try await store.list(prefix: "", after: nil, deadline: .now + .seconds(60)).isEmpty)
    }

    /// A store with the longest prefix that a URL may have; nil if there is no S3 server to test with.
    private static func store(_ kind: String) throws -> (any ObjectStore)? {
        let environment = ProcessInfo.processInfo.environment
        let unique = "names-\(UUID().uuidString)"
        guard kind == "s3" else {
            let directory = FileManager.default.temporaryDirectory.appending(path: unique)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            return DirectoryStore(path: directory.path)
        }
        guard let endpoint = environment["BACKUPFS_TEST_S3_ENDPOINT"] else { return nil }
        let bucket = environment["BACKUPFS_TEST_S3_BUCKET"] ?? "photos"
        let padding = (0..<4).map { "\($0)" + String(repeating: "p", count: 100) }.joined(separator: "/")
        let prefix = "\(unique)/\(padding)".padding(toLength: 512, withPad: "p", startingAt: 0)
        let store = try makeObjectStore(
            try BackupURL("s3://\(bucket)/\(prefix)"), StoreOptions(endpoint: endpoint), environment: environment,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(store.longestKey == 1024 - 513)
        return store
    }

    private static func row() throws -> Resource {
        let directory = FileManager.default.temporaryDirectory.appending(path: "names-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let main = try MainStorage(path: directory.path)
        let catalogue = try SQLiteCatalogue(directory: main.privateDirectory.number)
        let large = NewAttributes(mode: 0o7777, uid: .max, gid: .max)
        return try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.createRoot(large, now: 1)
            return try writer.create(.file, Dentry(.root, [0x61]), large, now: 1)
        }
    }

    private static func attributes(_ row: Resource, _ path: [[UInt8]]) -> ObjectAttributes {
        let version = Version(
            id: version, resource: row.id, key: "", size: 0, sha256: [UInt8](repeating: 0xff, count: 32),
            state: .uploading)
        return ObjectMetadata.make(row, path: path, version: version, modified: -1, file: -1)
    }

    private static func decoded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
