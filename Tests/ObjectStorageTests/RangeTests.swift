import Foundation
import Logging
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Large objects are read in parts", .timeLimit(.minutes(40)))
struct RangeTests {
    private static let bytes = largeBytes((11 << 20) + 17)

    private static func bucket(_ bytes: [UInt8] = bytes) -> CannedBucket {
        let bucket = CannedBucket()
        bucket["shop/v.mp4"] = .init(bytes: bytes, etag: "first", headers: ["x-amz-meta-mode": "33188"])
        return bucket
    }

    /// What arrives in a file that was longer before.
    private static func get(_ store: any ObjectStore, limit: Int64 = Int64(bytes.count)) async throws -> [UInt8] {
        let target = try TemporaryFile([UInt8](repeating: 7, count: bytes.count + 10))
        let summary = try await store.get("v.mp4", into: target.descriptor, limit: limit, deadline: .farAway)
        let found = try target.contents
        #expect(summary == ObjectSummary(size: Int64(found.count), metadata: ["mode": "33188"]))
        #expect(summary.sha256 == BodyDigests(of: found).sha256)
        return found
    }

    private static func retrying(_ store: S3Store) -> RetryingStore {
        RetryingStore(store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, pause: { _ in })
    }

    @Test("The parts after the first are asked for with its ETag, and make the object")
    func parts() async throws {
        try await Self.bucket().with { store, server in
            let found = try await Self.get(store)
            #expect(found == Self.bytes)
            let requests = server.requests.sorted { $0.headers["range"] ?? "" < $1.headers["range"] ?? "" }
            #expect(
                requests.map { $0.headers["range"] } == [
                    "bytes=0-5242879", "bytes=10485760-11534352", "bytes=5242880-10485759",
                ])
            #expect(requests.map { $0.headers["if-match"] } == [nil, "\"first\"", "\"first\""])
        }
    }

    @Test("A part that is cut short or refused is fetched again, the others are not", arguments: [true, false])
    func retriedPart(isCut: Bool) async throws {
        let count = Mutex(0)
        try await Self.bucket().with { request, bucket in
            guard request.headers["range"] == "bytes=5242880-10485759" else { return bucket(request) }
            let number = count.withLock { count in
                count += 1
                return count
            }
            guard number < 3 else { return bucket(request) }
            guard isCut, case .reply(_, let headers, let body) = bucket(request) else {
                return CannedBucket.error(503, "SlowDown")
            }
            return .reply(206, headers: headers, body: Array(body.dropLast(1000)))
        } _: { store, server in
            let found = try await Self.get(Self.retrying(store))
            #expect(found == Self.bytes)
            #expect(server.requests.count == 5)
        }
    }

    @Test("An object that comes slowly comes: each part after the first has the whole time")
    func slowParts() async throws {
        // Two parts at a time, six after the first: two seconds more than the call has in all, and each of them a third of it.
        let bytes = largeBytes(35 << 20)
        try await Self.bucket(bytes).with { request, bucket in
            if request.headers["if-match"] != nil { Thread.sleep(forTimeInterval: 14) }
            return bucket(request)
        } _: { store, _ in
            let target = try TemporaryFile([])
            _ = try await store.get(
                "v.mp4", into: target.descriptor, limit: Int64(bytes.count), deadline: .now + .seconds(40))
            #expect(try target.contents == bytes)
        }
    }

    @Test("Parts of two contents never mix")
    func swappedObject() async throws {
        let bucket = Self.bucket()
        try await bucket.with { request, inner in
            let answer = inner(request)
            if request.headers["if-match"] == nil {
                bucket["shop/v.mp4"]?.etag = "second"
            }
            return answer
        } _: { store, _ in
            #expect(await CannedS3.outcome { _ = try await Self.get(store) } == "corrupted")
        }
    }

    @Test("A server that knows no ranges gives all at once, and one that sends other ranges is refused")
    func otherRanges() async throws {
        try await Self.bucket().with { request, bucket in
            var request = request
            request.headers["range"] = nil
            return bucket(request)
        } _: { store, server in
            let found = try await Self.get(store)
            #expect(found == Self.bytes)
            #expect(server.requests.count == 1)
        }
        try await Self.bucket().with { request, bucket in
            var request = request
            request.headers["range"] = "bytes=0-5242879"
            return bucket(request)
        } _: { store, _ in
            #expect(await CannedS3.outcome { _ = try await Self.get(store) } == "corrupted")
        }
    }

    @Test("An object that turns out small or empty is read all the same", arguments: [0, 1, 5 << 20, (5 << 20) + 1])
    func small(size: Int) async throws {
        let bytes = largeBytes(size)
        try await Self.bucket(bytes).with { store, _ in
            let found = try await Self.get(store)
            #expect(found == bytes)
        }
    }

    @Test("An object larger than the limit is refused at its first bytes")
    func limit() async throws {
        try await Self.bucket().with { store, server in
            let target = try TemporaryFile()
            let found = await CannedS3.outcome {
                let limit = Int64(Self.bytes.count - 1)
                _ = try await store.get("v.mp4", into: target.descriptor, limit: limit, deadline: .farAway)
            }
            #expect(found == "corrupted")
            #expect(try target.contents == [])
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        "What is no range is refused",
        arguments: [
            "", "bytes", "bytes 0-1", "bytes 0-1/*", "bytes */5", "bytes 2-1/5", "bytes 0-5/5", "bytes -1-2/5",
            "bits 0-1/5", "bytes 0-1/5/6", "bytes 0-99999999999999999999/5",
        ])
    func badRange(_ text: String) {
        #expect(ContentRange(text) == nil)
    }
}
