import Glibc
import Logging
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Large objects are sent in parts", .timeLimit(.minutes(40)))
struct MultipartTests {
    private static let bytes = largeBytes((11 << 20) + 17)
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func put(_ store: any ObjectStore, patience: Duration = .seconds(120)) async throws {
        let file = try TemporaryFile(bytes)
        let count = Int64(bytes.count)
        let digests = try ContentDigests(ofFile: file.descriptor, length: count, store.digestPlan(length: count))
        try await store.put(
            "v.mp4", .file(descriptor: file.descriptor, length: count, digests: digests),
            ObjectAttributes(contentType: "video/mp4", metadata: ["mode": "33188"]), deadline: .now + patience)
    }

    private static func retrying(_ store: S3Store) -> RetryingStore {
        RetryingStore(store, logger: silent, pause: { _ in })
    }

    /// True for the first `count` calls.
    private final class Few: Sendable {
        private let left: Mutex<Int>

        init(_ count: Int) { left = Mutex(count) }

        var next: Bool {
            left.withLock { left in
                left -= 1
                return left >= 0
            }
        }
    }

    @Test("Each part has its checksums, the creation the metadata, and nothing is left")
    func parts() async throws {
        let bucket = CannedBucket()
        try await bucket.with { store, server in
            try await Self.put(store)
            let object = try #require(bucket["shop/v.mp4"])
            #expect(object.bytes == Self.bytes)
            #expect(object.headers == ["content-type": "video/mp4", "x-amz-meta-mode": "33188"])
            #expect(bucket.uploads == [])
            let parts = server.requests.filter { $0.partNumber != nil }.sorted { $0.partNumber! < $1.partNumber! }
            #expect(parts.map(\.body.count) == [5 << 20, 5 << 20, (1 << 20) + 17])
            for part in parts {
                let digests = BodyDigests(of: part.body)
                #expect(part.headers["content-md5"] == base64(digests.md5))
                #expect(part.headers["x-amz-content-sha256"] == digests.sha256Hex)
            }
        }
    }

    @Test("A caller's digests of another kind are made anew, and wrong ones are refused")
    func otherDigests() async throws {
        let bucket = CannedBucket()
        try await bucket.with { store, _ in
            let file = try TemporaryFile(Self.bytes)
            try await store.put("v.mp4", try file.body(), ObjectAttributes(), deadline: .farAway)
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
            let wrong = ObjectBody.file(
                descriptor: file.descriptor, length: Int64(Self.bytes.count), digests: ContentDigests(of: [1]))
            await #expect(throws: ObjectStoreError.contentChanged(key: "w")) {
                try await store.put("w", wrong, ObjectAttributes(), deadline: .farAway)
            }
        }
    }

    @Test("A part that fails is sent again, the others are not", arguments: [503, 0])
    func retriedPart(status: Int) async throws {
        let bucket = CannedBucket()
        let few = Few(2)
        try await bucket.with { request, bucket in
            guard request.partNumber == 2, few.next else { return bucket(request) }
            return status == 0 ? .reset : CannedBucket.error(status, "SlowDown")
        } _: { store, server in
            try await Self.put(Self.retrying(store))
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
            #expect(server.requests.compactMap(\.partNumber).sorted() == [1, 2, 2, 2, 3])
            #expect(server.requests.count { $0.isCreation } == 1)
        }
    }

    @Test(
        "A part that is damaged on the way is found and sent again",
        arguments: [
            CannedBucket.Checks(), CannedBucket.Checks(md5: false), CannedBucket.Checks(isETagMD5: false),
            CannedBucket.Checks(md5: false, isETagMD5: false, payload: true),
            CannedBucket.Checks(md5: false, isETagMD5: false, checksum: true),
        ])
    func damagedPart(_ checks: CannedBucket.Checks) async throws {
        let bucket = CannedBucket(checks)
        let few = Few(1)
        try await bucket.with { request, bucket in
            bucket(request.partNumber == 2 && few.next ? request.damaged : request)
        } _: { store, _ in
            let store = Self.retrying(store)
            try await store.check(deadline: .farAway)
            try await Self.put(store)
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
        }
    }

    @Test("A server that checks nothing is read back", arguments: [true, false])
    func readBack(isLarge: Bool) async throws {
        let bucket = CannedBucket(.init(md5: false, isETagMD5: false))
        let few = Few(1)
        try await bucket.with { request, bucket in
            let isBody = isLarge ? request.partNumber == 1 : request.method == "PUT" && request.target.hasSuffix("/a")
            return bucket(isBody && few.next ? request.damaged : request)
        } _: { store, _ in
            let store = Self.retrying(store)
            if isLarge {
                try await Self.put(store)
                #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
            } else {
                try await store.put("a", .bytes([1, 2, 3]), ObjectAttributes(), deadline: .farAway)
                #expect(bucket["shop/a"]?.bytes == [1, 2, 3])
            }
            #expect(!few.next)
            #expect(store.proof?.contains("read back") == true)
        }
    }

    @Test("Damage that does not end is an error; the upload is aborted, and nothing is under the key")
    func damagedForEver() async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, bucket in
            bucket(request.partNumber == 2 ? request.damaged : request)
        } _: { store, server in
            #expect(await CannedS3.outcome { try await Self.put(Self.retrying(store)) } == "corrupted")
            try await bucket.untilNoUploads()
            #expect(bucket.keys == [])
            #expect(server.requests.count { $0.partNumber == 2 } == 3)
        }
    }

    @Test("Parts that the server puts together wrongly are found, and the object is removed")
    func swappedParts() async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, inner in
            let answer = inner(request)
            if request.isCompletion, var object = bucket["shop/v.mp4"] {
                object.bytes.swapAt(0, 6 << 20)
                object.etag = "0123456789abcdef0123456789abcdef-3"
                bucket["shop/v.mp4"] = object
            }
            return answer
        } _: { store, _ in
            #expect(await CannedS3.outcome { try await Self.put(store) } == "corrupted")
            #expect(bucket.keys == [])
        }
    }

    @Test("A completion whose answer is lost is asked about, not repeated for ever")
    func lostCompletion() async throws {
        let bucket = CannedBucket()
        let few = Few(1)
        try await bucket.with { request, bucket in
            guard request.isCompletion, few.next else { return bucket(request) }
            _ = bucket(request)
            return .reset
        } _: { store, server in
            try await Self.put(Self.retrying(store))
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
            #expect(server.requests.count { $0.isCompletion } == 2)
            #expect(server.requests.count { $0.isCreation } == 1)
        }
    }

    @Test(
        "A completion that answers 200 with an error, or with nothing, has failed",
        arguments: [("<Error><Code>InternalError</Code></Error>", "unreachable"), ("", "unreachable")])
    func errorIn200(_ body: String, _ meaning: String) async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, bucket in
            request.isCompletion ? .reply(200, body: Array(body.utf8)) : bucket(request)
        } _: { store, server in
            #expect(await CannedS3.outcome { try await Self.put(store) } == meaning)
            try await bucket.untilNoUploads()
            #expect(server.requests.contains { $0.isAbort })
            #expect(bucket.keys == [])
        }
    }

    @Test("An upload that is given up or runs out of time is aborted", arguments: [true, false])
    func abort(isCancelled: Bool) async throws {
        let bucket = CannedBucket()
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await bucket.with { request, bucket in
            guard request.partNumber != nil else { return bucket(request) }
            arrival.yield()
            return .hang
        } _: { store, _ in
            let patience = Duration.seconds(isCancelled ? 3600 : 15)
            let task = Task { await CannedS3.outcome { try await Self.put(store, patience: patience) } }
            if isCancelled {
                var iterator = arrivals.makeAsyncIterator()
                await iterator.next()
                task.cancel()
            }
            #expect(await task.value == "deadlineExceeded")
            try await bucket.untilNoUploads()
        }
    }

    @Test("While the parts of large uploads hang, a photo goes through")
    func fairness() async throws {
        let bucket = CannedBucket()
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await bucket.with(proof: UploadProof(refusesWrongMD5: true)) { request, bucket in
            guard request.partNumber != nil else { return bucket(request) }
            arrival.yield()
            return .hang
        } _: { store, server in
            let task = Task { await CannedS3.outcome { try await Self.put(store, patience: .seconds(3600)) } }
            // Two of four transfers are for parts.
            var iterator = arrivals.makeAsyncIterator()
            for _ in 1...2 { await iterator.next() }
            try await CannedS3.put(store, deadline: CannedS3.tooFar)
            #expect(try await CannedS3.get(store, deadline: CannedS3.tooFar) == [1, 2, 3])
            #expect(server.requests.count { $0.partNumber != nil } == 2)
            server.stop()
            #expect(await task.value == "unreachable")
        }
    }
}
