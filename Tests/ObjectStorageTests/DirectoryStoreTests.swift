import Foundation
import Glibc
import ObjectStorage
import Testing

@Suite("A directory as backup storage")
struct DirectoryStoreTests {
    private let directory: TemporaryDirectory
    private let store: DirectoryStore

    init() throws {
        directory = try TemporaryDirectory()
        store = DirectoryStore(path: directory.path)
    }

    private func put(_ key: String, _ bytes: [UInt8]) async throws {
        try await store.put(key, .bytes(bytes), ObjectAttributes(metadata: ["mode": "33188"]), deadline: .farAway)
    }

    private func expectCorrupted(_ key: String) async throws {
        let target = try TemporaryFile()
        await #expect {
            try await store.get(key, into: target.descriptor, limit: 1_000_000, deadline: .farAway)
        } throws: {
            guard case .corrupted(key, _) = $0 as? ObjectStoreError else { return false }
            return true
        }
    }

    @Test("An object is a plain file under its key, and nothing is left in staging")
    func plainFile() async throws {
        try await put("a/b/photo.jpg", [1, 2, 3])
        let found = try Data(contentsOf: directory.url.appending(path: "a/b/photo.jpg"))
        #expect([UInt8](found) == [1, 2, 3])
        let staging = directory.path + "/.backupfs-meta/staging"
        #expect(try FileManager.default.contentsOfDirectory(atPath: staging) == [])
    }

    @Test("A flipped bit, a cut and a grown object are noticed", arguments: ["flip", "cut", "grow"])
    func corruption(_ damage: String) async throws {
        try await put("a/b", sampleBytes(700_000))
        let descriptor = open(directory.path + "/a/b", O_RDWR)
        defer { close(descriptor) }
        let file = LocalFile(descriptor)
        switch damage {
        case "flip": try file.write([sampleBytes(1)[0] ^ 1])
        case "cut": try file.truncate(to: 699_999)
        default: try file.truncate(to: 700_001)
        }
        try await expectCorrupted("a/b")
    }

    @Test("A damaged sidecar is noticed; without one the bytes are still given")
    func sidecars() async throws {
        try await put("a/b", [1, 2, 3])
        let sidecar = directory.url.appending(path: ".backupfs-meta/objects/a/b")
        try Data("{\"size\":".utf8).write(to: sidecar)
        try await expectCorrupted("a/b")
        try FileManager.default.removeItem(at: sidecar)
        let target = try TemporaryFile()
        let summary = try await store.get("a/b", into: target.descriptor, limit: 3, deadline: .farAway)
        #expect(summary == ObjectSummary(size: 3, metadata: [:]))
        #expect(try target.contents == [1, 2, 3])
    }

    @Test("A key is written once: another content is refused, the first one stays")
    func writtenOnce() async throws {
        try await put("a", [1])
        await #expect {
            try await put("a", [2])
        } throws: {
            guard case .rejected(.objectExists, _) = $0 as? ObjectStoreError else { return false }
            return true
        }
        let target = try TemporaryFile()
        _ = try await store.get("a", into: target.descriptor, limit: 1, deadline: .farAway)
        #expect(try target.contents == [1])
    }

    @Test("A missing directory is no store, and is not made")
    func missingRoot() async throws {
        let absent = DirectoryStore(path: directory.path + "/absent")
        await #expect(throws: ObjectStoreError.noSuchBucket("file://\(directory.path)/absent")) {
            try await absent.check(deadline: .farAway)
        }
        await #expect(throws: ObjectStoreError.self) {
            try await absent.put("a", .bytes([1]), ObjectAttributes(), deadline: .farAway)
        }
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/absent"))
    }

    @Test("I8: a directory that became empty behind us is unreachable, its objects are not gone")
    func unmounted() async throws {
        try await put("a", [1])
        try FileManager.default.moveItem(atPath: directory.path, toPath: directory.path + "-moved")
        defer { try? FileManager.default.removeItem(atPath: directory.path + "-moved") }
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: false)
        await #expect {
            try await store.head("a", deadline: .farAway)
        } throws: {
            guard case .unreachable = $0 as? ObjectStoreError else { return false }
            return true
        }
    }

    @Test(
        "I11: no key leads out of the root",
        arguments: ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/.", "x\0y", ".backupfs-meta/identity"])
    func hostileKeys(_ key: String) async throws {
        await #expect {
            try await store.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway)
        } throws: {
            guard case .rejected(.invalidKey, _) = $0 as? ObjectStoreError else { return false }
            return true
        }
        await #expect(throws: ObjectStoreError.self) { try await store.delete(key, deadline: .farAway) }
    }

    @Test("I11: symbolic links in the root are neither followed nor listed")
    func links() async throws {
        let outside = try TemporaryDirectory()
        try Data([9]).write(to: outside.url.appending(path: "secret"))
        symlink(outside.path, directory.path + "/out")
        symlink(outside.path + "/secret", directory.path + "/file")
        let target = try TemporaryFile()
        for key in ["out/secret", "file"] {
            await #expect(throws: ObjectStoreError.self) {
                try await store.get(key, into: target.descriptor, limit: 10, deadline: .farAway)
            }
        }
        await #expect(throws: ObjectStoreError.self) { try await put("out/new", [1]) }
        #expect(try await store.list(prefix: "", after: nil, deadline: .farAway) == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["secret"])
    }

    @Test("Removing the last object of a directory removes the directory, not the root")
    func emptyParents() async throws {
        try await put("a/b/c", [1])
        try await put("a/d", [1])
        try await store.delete("a/b/c", deadline: .farAway)
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/a/b"))
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/.backupfs-meta/objects/a/b"))
        try await store.delete("a/d", deadline: .farAway)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [".backupfs-meta"])
    }

    @Test("Objects come and go in one directory at once, and none is lost")
    func puttingBesideRemoving() async throws {
        let store = store
        try await withThrowingTaskGroup { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<30 {
                        let key = "d/e/\(worker)-\(round)"
                        try await store.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway)
                        #expect(try await store.head(key, deadline: .farAway)?.size == 1)
                        try await store.delete(key, deadline: .farAway)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.list(prefix: "", after: nil, deadline: .farAway) == [])
    }

    @Test("A full disk is reported as full, leaves nothing, and is usable again", .enabled(if: getuid() == 0))
    func fullDisk() async throws {
        guard mount("tmpfs", directory.path, "tmpfs", UInt(MS_NOSUID), "size=256k") == 0 else {
            throw ObjectStoreError.localFile(errno: errno)
        }
        defer { umount2(directory.path, Int32(MNT_DETACH)) }
        try await put("small", sampleBytes(1000))
        await #expect {
            try await put("large", sampleBytes(600_000))
        } throws: {
            guard case .full = $0 as? ObjectStoreError else { return false }
            return true
        }
        #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).map(\.key) == ["small"])
        try await put("small2", sampleBytes(1000))
    }

    @Test("The nearest directory above that holds a key is found, through links too")
    func ancestor() async throws {
        let key = ".backupfs/catalogue.json"
        let files = FileManager.default
        try files.createDirectory(
            at: directory.url.appending(path: "a/b/c/d"), withIntermediateDirectories: true)
        try files.createSymbolicLink(
            at: directory.url.appending(path: "link"), withDestinationURL: directory.url.appending(path: "a/b/c/d"))
        let real = try #require(realpath(directory.path, nil))
        defer { free(real) }
        let root = String(cString: real)
        for path in ["a/b/c/d", "link"] {
            let inner = DirectoryStore(path: "\(directory.path)/\(path)")
            #expect(try await inner.ancestor(holding: key, deadline: .farAway) == nil)
            try await inner.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway)
            #expect(try await inner.ancestor(holding: key, deadline: .farAway) == nil)
            try await store.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway)
            #expect(try await inner.ancestor(holding: key, deadline: .farAway) == "file://\(root)")
            try await store.put("a/b/\(key)", .bytes([1]), ObjectAttributes(), deadline: .farAway)
            #expect(try await inner.ancestor(holding: key, deadline: .farAway) == "file://\(root)/a/b")
            for key in [key, "a/b/\(key)"] { try await store.delete(key, deadline: .farAway) }
        }
    }
}
