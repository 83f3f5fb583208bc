// What every store promises, run over each of them. The S3 store joins in when BACKUPFS_TEST_S3_ENDPOINT and
// BACKUPFS_TEST_S3_BUCKET name a server, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@Suite("Contract of every object store")
struct ObjectStoreContract {
    @Test("check accepts a store that can be used", arguments: TestedStore.available)
    func check(_ tested: TestedStore) async throws {
        try await tested.with { store in try await store.check(deadline: .farAway) }
    }

    @Test(
        "A file comes back byte by byte, with its metadata", arguments: TestedStore.available,
        [0, 1, 70_000, 3_000_000, 11_000_001])
    func roundTrip(_ tested: TestedStore, size: Int) async throws {
        try await tested.with { store in
            let bytes = size > 5_000_000 ? largeBytes(size) : sampleBytes(size)
            let source = try TemporaryFile(bytes)
            let attributes = ObjectAttributes(
                contentType: "image/jpeg",
                metadata: ["mode": "33188", "backupfs-path": "a%20b=+~/c", "mtime": "1.000000002"])
            try await store.put("shop/2023/IMG 1~(x).jpg", try source.body(), attributes, deadline: .farAway)
            let target = try TemporaryFile([UInt8](repeating: 7, count: size + 10))
            let summary = try await store.get(
                "shop/2023/IMG 1~(x).jpg", into: target.descriptor, limit: Int64(size), deadline: .farAway)
            #expect(summary == ObjectSummary(size: Int64(size), metadata: attributes.metadata))
            #expect(summary.sha256 == BodyDigests(of: bytes).sha256)
            #expect(try target.contents == bytes)
            #expect(try await store.head("shop/2023/IMG 1~(x).jpg", deadline: .farAway) == summary)
        }
    }

    @Test("Long runs of zeros come back as holes, whatever the file held before", arguments: TestedStore.available)
    func zeros(_ tested: TestedStore) async throws {
        try await tested.with { store in
            var bytes = [UInt8](repeating: 0, count: 12_000_001)
            for (place, seed) in [(3_000_000, 1), (6_500_000, 2)] {
                bytes.replaceSubrange(place..<place + 70_000, with: sampleBytes(70_000, seed: UInt64(seed)))
            }
            let source = try TemporaryFile(bytes)
            try await store.put("sparse", try source.body(), ObjectAttributes(), deadline: .farAway)
            let target = try TemporaryFile([UInt8](repeating: 7, count: bytes.count + 10))
            for _ in 1...2 {
                let summary = try await store.get(
                    "sparse", into: target.descriptor, limit: Int64(bytes.count), deadline: .farAway)
                #expect(summary.sha256 == BodyDigests(of: bytes).sha256)
                #expect(try target.contents == bytes)
                var status = stat()
                #expect(fstat(target.descriptor, &status) == 0 && status.st_blocks * 512 < 600_000)
            }
        }
    }

    @Test("Bytes in memory come back", arguments: TestedStore.available)
    func bytesInMemory(_ tested: TestedStore) async throws {
        try await tested.with { store in
            try await store.put("a", .bytes(Array("{}".utf8)), ObjectAttributes(), deadline: .farAway)
            let target = try TemporaryFile()
            _ = try await store.get("a", into: target.descriptor, limit: 100, deadline: .farAway)
            #expect(try target.contents == Array("{}".utf8))
        }
    }

    @Test("A put that is sent once more succeeds", arguments: TestedStore.available)
    func repeatedPut(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let source = try TemporaryFile(sampleBytes(1000))
            for _ in 1...2 {
                try await store.put("d/a", try source.body(), ObjectAttributes(), deadline: .farAway)
            }
            #expect(try await store.head("d/a", deadline: .farAway)?.size == 1000)
        }
    }

    @Test(
        "An object does not appear before its record is durable, and never if it cannot be",
        arguments: TestedStore.available, [0, 1, 70_000, 11_000_001])
    func writeAhead(_ tested: TestedStore, size: Int) async throws {
        try await tested.with { store in
            let source = try TemporaryFile(largeBytes(size))
            for (key, isDurable) in [("kept", true), ("refused", false)] {
                let barrier = WriteAheadBarrier()
                let body = try source.body(after: barrier)
                async let outcome: Result<Void, any Error> = {
                    do {
                        try await store.put(key, body, ObjectAttributes(), deadline: .farAway)
                        return .success(())
                    } catch {
                        return .failure(error)
                    }
                }()
                // The bytes have time to travel.
                try await Task.sleep(for: .milliseconds(300))
                #expect(try await store.head(key, deadline: .farAway) == nil)
                barrier.decide(isDurable: isDurable)
                let isStored = if case .success = await outcome { true } else { false }
                #expect(isStored == isDurable)
                #expect(try await store.head(key, deadline: .farAway)?.size == (isDurable ? Int64(size) : nil))
            }
            withExtendedLifetime(source) {}
        }
    }

    @Test("The longest key is kept; a longer one is refused, and nothing is there", arguments: TestedStore.available)
    func longestKey(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let names = String(repeating: "\(String(repeating: "k", count: 99))/", count: 11)
            let longest = String(names.prefix(store.longestKey - 1)) + "x"
            try await store.put(longest, .bytes([1]), ObjectAttributes(), deadline: .farAway)
            #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).map(\.key) == [longest])
            // A store in memory has no limit of its own.
            guard tested == .directory || tested == .s3 else { return }
            await #expect {
                try await store.put(longest + "y", .bytes([1]), ObjectAttributes(), deadline: .farAway)
            } throws: {
                guard case .rejected = $0 as? ObjectStoreError else { return false }
                return true
            }
            #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).map(\.key) == [longest])
        }
    }

    @Test("What is not there is not found, and removing it succeeds", arguments: TestedStore.available)
    func missing(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let target = try TemporaryFile()
            await #expect(throws: ObjectStoreError.notFound(key: "no/such")) {
                try await store.get("no/such", into: target.descriptor, limit: 10, deadline: .farAway)
            }
            #expect(try await store.head("no/such", deadline: .farAway) == nil)
            try await store.delete("no/such", deadline: .farAway)
        }
    }

    @Test("A removed object is gone, its neighbour is not", arguments: TestedStore.available)
    func delete(_ tested: TestedStore) async throws {
        try await tested.with { store in
            for key in ["d/a", "d/b", "e/f/g"] {
                try await store.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway)
            }
            try await store.delete("d/a", deadline: .farAway)
            try await store.delete("e/f/g", deadline: .farAway)
            #expect(try await store.head("d/a", deadline: .farAway) == nil)
            #expect(
                try await store.list(prefix: "", after: nil, deadline: .farAway) == [ListedObject(key: "d/b", size: 1)])
        }
    }

    @Test("An object larger than the limit is refused", arguments: TestedStore.available)
    func limit(_ tested: TestedStore) async throws {
        try await tested.with { store in
            try await store.put("a", .bytes(sampleBytes(1001)), ObjectAttributes(), deadline: .farAway)
            let target = try TemporaryFile()
            await #expect {
                try await store.get("a", into: target.descriptor, limit: 1000, deadline: .farAway)
            } throws: {
                guard case .corrupted("a", _) = $0 as? ObjectStoreError else { return false }
                return true
            }
            #expect(try target.contents.count <= 1000)
        }
    }

    @Test("A file that is not what its digests say is refused and leaves nothing", arguments: TestedStore.available)
    func changedContent(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let source = try TemporaryFile(sampleBytes(300_000))
            let body = try source.body()
            try LocalFile(source.descriptor).write([0xff, 0xfe, 0xfd])
            await #expect(throws: ObjectStoreError.contentChanged(key: "a")) {
                try await store.put("a", body, ObjectAttributes(), deadline: .farAway)
            }
            try LocalFile(source.descriptor).truncate(to: 100_000)
            await #expect(throws: ObjectStoreError.contentChanged(key: "a")) {
                try await store.put("a", body, ObjectAttributes(), deadline: .farAway)
            }
            #expect(try await store.head("a", deadline: .farAway) == nil)
        }
    }

    @Test("Many objects are removed at once, whether they are there or not", arguments: TestedStore.available)
    func deleteMany(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let keys = ["d/a", "d/b & c", "e/f/g", "kept", "d/<x>+y"]
            for key in keys { try await store.put(key, .bytes([1]), ObjectAttributes(), deadline: .farAway) }
            let removed = keys.filter { $0 != "kept" } + ["no/such"]
            #expect(try await store.delete(removed, deadline: .farAway) == [:])
            #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).map(\.key) == ["kept"])
            #expect(try await store.delete([], deadline: .farAway) == [:])
        }
    }

    @Test("What interrupted uploads have left can be looked for, and objects stay", arguments: TestedStore.available)
    func sweep(_ tested: TestedStore) async throws {
        try await tested.with { store in
            try await store.put("kept", .bytes([1]), ObjectAttributes(), deadline: .farAway)
            #expect(try await store.abortUnfinished(deadline: .farAway) == 0)
            #expect(try await store.head("kept", deadline: .farAway)?.size == 1)
        }
    }

    private static let tree = ["A", "a-b", "a/b/c", "a/b!", "a0", "a/x y", ".backupfs/journal/01", "b+c&d=e", "b/~1"]

    private func plant(_ keys: [String], in store: any ObjectStore) async throws -> [ListedObject] {
        for (size, key) in keys.enumerated() {
            try await store.put(key, .bytes(sampleBytes(size)), ObjectAttributes(), deadline: .farAway)
        }
        return keys.enumerated().map { ListedObject(key: $0.element, size: Int64($0.offset)) }.sorted {
            $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
        }
    }

    @Test("A listing has each key once, and goes on after any of them", arguments: TestedStore.available)
    func listing(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let planted = try await plant(Self.tree, in: store)
            for prefix in ["", "a", "a/", "a/b", ".backupfs/journal/", "none", "b"] {
                let listed = try await store.list(prefix: prefix, after: nil, deadline: .farAway)
                let sorted = listed.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                #expect(sorted == planted.filter { $0.key.hasPrefix(prefix) })
                for (index, object) in listed.enumerated() {
                    let rest = try await store.list(prefix: prefix, after: object.key, deadline: .farAway)
                    #expect(rest == Array(listed[(index + 1)...]))
                }
            }
        }
    }

    @Test("Keys in one directory are in bytewise order, after any key", arguments: TestedStore.available)
    func directoryOrder(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let planted = try await plant(["j/b", "j/a", "j/C", "j/a-1", "j/a0", "j/a.x", "j/~", "j/ "], in: store)
            for after in ["j/", "j/!", "j/a", "j/a-", "j/az", "j/zzz", "j/~~"] {
                let listed = try await store.list(prefix: "j/", after: after, deadline: .farAway)
                #expect(listed == planted.filter { after.utf8.lexicographicallyPrecedes($0.key.utf8) })
            }
        }
    }

    @Test("Stores of our own list all keys in bytewise order", arguments: [TestedStore.memory, .directory])
    func order(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let planted = try await plant(Self.tree, in: store)
            #expect(try await store.list(prefix: "", after: nil, deadline: .farAway) == planted)
            let later = try await store.list(prefix: "a", after: "a/b", deadline: .farAway)
            #expect(later.map(\.key) == ["a/b!", "a/b/c", "a/x y", "a0"])
        }
    }

    @Test("A listing has at most 1,000 keys, and the next one has the rest", arguments: TestedStore.available)
    func pages(_ tested: TestedStore) async throws {
        try await tested.with { store in
            let keys = (0..<1003).map { "k/\(10000 + $0)" }
            try await withThrowingTaskGroup { group in
                for part in 0..<8 {
                    group.addTask {
                        for key in keys[(part * 126)..<min(1003, part * 126 + 126)] {
                            try await store.put(key, .bytes([]), ObjectAttributes(), deadline: .farAway)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let first = try await store.list(prefix: "k/", after: nil, deadline: .farAway)
            #expect(first.map(\.key) == Array(keys[..<1000]))
            let second = try await store.list(prefix: "k/", after: first.last?.key, deadline: .farAway)
            #expect(second.map(\.key) == Array(keys[1000...]))
        }
    }

    @Test("A deadline in the past fails every request, and changes nothing", arguments: TestedStore.available)
    func pastDeadline(_ tested: TestedStore) async throws {
        try await tested.with { store in
            try await store.put("kept", .bytes([1]), ObjectAttributes(), deadline: .farAway)
            let past = ContinuousClock.Instant.now - .seconds(1)
            let target = try TemporaryFile()
            let requests: [@Sendable () async throws -> Void] = [
                { try await store.check(deadline: past) },
                { try await store.put("new", .bytes([1]), ObjectAttributes(), deadline: past) },
                { [descriptor = target.descriptor] in
                    _ = try await store.get("kept", into: descriptor, limit: 9, deadline: past)
                },
                { _ = try await store.head("kept", deadline: past) },
                { try await store.delete("kept", deadline: past) },
                { _ = try await store.list(prefix: "", after: nil, deadline: past) },
            ]
            for request in requests {
                await #expect {
                    try await request()
                } throws: {
                    guard case .deadlineExceeded = $0 as? ObjectStoreError else { return false }
                    return true
                }
            }
            #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).map(\.key) == ["kept"])
        }
    }

    @Test("Many requests at once do not disturb each other", arguments: TestedStore.available)
    func concurrency(_ tested: TestedStore) async throws {
        try await tested.with { store in
            try await withThrowingTaskGroup { group in
                for number in 0..<64 {
                    group.addTask {
                        let bytes = sampleBytes(number * 3001, seed: UInt64(number))
                        let source = try TemporaryFile(bytes)
                        try await store.put("c/\(number)", try source.body(), ObjectAttributes(), deadline: .farAway)
                        let target = try TemporaryFile()
                        _ = try await store.get(
                            "c/\(number)", into: target.descriptor, limit: 1_000_000, deadline: .farAway)
                        #expect(try target.contents == bytes)
                        try await store.delete("c/\(number)", deadline: .farAway)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.list(prefix: "c/", after: nil, deadline: .farAway) == [])
        }
    }

    @Test("Of many that create one object at the same moment one succeeds", arguments: TestedStore.available)
    func creation(_ tested: TestedStore) async throws {
        try await tested.with { store in
            for round in 0..<10 {
                let key = "first/\(round)"
                let outcomes = try await withThrowingTaskGroup(of: (UInt8, Creation).self) { group in
                    for number in UInt8(0)..<8 {
                        group.addTask {
                            (number, try await store.create(key, [number], ObjectAttributes(), deadline: .farAway))
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                // A server without conditional requests is told apart, and has stored nothing.
                if outcomes.allSatisfy({ $0.1 == .notOffered }) {
                    #expect(tested == .s3)
                    #expect(try await store.head(key, deadline: .farAway) == nil)
                    continue
                }
                let winners = outcomes.filter { $0.1 == .created }.map(\.0)
                #expect(winners.count == 1 && outcomes.count { $0.1 == .taken } == 7)
                let target = try TemporaryFile()
                _ = try await store.get(key, into: target.descriptor, limit: 9, deadline: .farAway)
                #expect(try target.contents == winners)
            }
        }
    }
}
