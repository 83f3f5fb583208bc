// Parts, ranges and batches are requests like others: what the server finds wrong with clock, place or credentials in the
// middle of a large object costs one request more, not the object.

import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("Healing in the middle of large objects and batches", .timeLimit(.minutes(40)))
struct LargeHealingTests {
    enum Change: CaseIterable {
        case region
        case clock
        case keys
    }

    private static let bytes = largeBytes((11 << 20) + 17)

    private static func keys(_ name: String) -> String {
        "[default]\naws_access_key_id = \(name)\naws_secret_access_key = S\n"
    }

    /// Whether a request is signed as it must be after a change.
    private static func isSigned(_ request: CannedServer.Request, for change: Change) -> Bool {
        let authorization = request.headers["authorization"] ?? ""
        return switch change {
        case .region: authorization.contains("/eu-central-1/s3/")
        case .clock: request.headers["x-amz-date"]?.hasPrefix("20300101T120") == true
        case .keys: authorization.contains("Credential=NEW/")
        }
    }

    private static func refusal(_ change: Change) -> CannedServer.Answer {
        func error(_ code: String, _ more: String = "") -> [UInt8] {
            Array("<Error><Code>\(code)</Code>\(more)</Error>".utf8)
        }
        return switch change {
        case .region: .reply(400, body: error("AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"))
        case .clock:
            .reply(
                403, headers: ["Date": "Tue, 01 Jan 2030 12:00:00 GMT"], body: error("RequestTimeTooSkewed"))
        case .keys: .reply(403, body: error("ExpiredToken"))
        }
    }

    /// Runs a test with a bucket that wants requests signed otherwise from the first one on that `starts` is true for.
    private static func with(
        _ change: Change, from starts: @escaping @Sendable (CannedServer.Request) -> Bool,
        _ test: (S3Store, CannedBucket) async throws -> Void
    ) async throws {
        let home = try Home(credentials: keys("OLD"))
        let bucket = CannedBucket()
        bucket["shop/old.mp4"] = .init(bytes: bytes, etag: "e", headers: [:])
        let hasChanged = Mutex(false)
        let refused = Mutex(0)
        let server = try CannedServer { request in
            let isLate = hasChanged.withLock { hasChanged in
                if !hasChanged, starts(request) {
                    hasChanged = true
                    try? home.write(credentials: keys("NEW"))
                }
                return hasChanged
            }
            guard isLate, !isSigned(request, for: change) else { return bucket.answer(request) }
            refused.withLock { $0 += 1 }
            return refusal(change)
        }
        defer { server.stop() }
        let store = try S3Store(
            S3Configuration(
                bucket: "photos", prefix: "shop",
                options: StoreOptions(endpoint: server.endpoint, transfers: 4, partSize: 5 << 20),
                environment: home.environment),
            timeouts: CannedS3.patient, clock: ServerClock { 1_893_499_200 - 7200 },
            enforcement: Enforcement(UploadProof(refusesWrongMD5: true)))
        try await test(store, bucket)
        #expect(refused.withLock { $0 } >= 1)
        // One finding heals all: the next request is signed right at once.
        let before = refused.withLock { $0 }
        try await store.check(deadline: .farAway)
        #expect(refused.withLock { $0 } == before)
    }

    @Test(
        "An upload in parts goes on, whatever changes at its creation, a part or its completion",
        arguments: Change.allCases)
    func upload(_ change: Change) async throws {
        let moments: [@Sendable (CannedServer.Request) -> Bool] = [
            { $0.isCreation }, { $0.partNumber == 2 }, { $0.isCompletion }, { $0.method == "HEAD" },
        ]
        for moment in moments {
            try await Self.with(change, from: moment) { store, bucket in
                let file = try TemporaryFile(Self.bytes)
                try await store.put("v.mp4", try file.body(), ObjectAttributes(), deadline: .farAway)
                #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
                #expect(bucket.uploads == [])
            }
        }
    }

    @Test("A download in ranges goes on, whatever changes at its first or a later one", arguments: Change.allCases)
    func download(_ change: Change) async throws {
        let moments: [@Sendable (CannedServer.Request) -> Bool] = [
            { $0.headers["range"] != nil }, { $0.headers["if-match"] != nil },
        ]
        for moment in moments {
            try await Self.with(change, from: moment) { store, _ in
                let target = try TemporaryFile()
                _ = try await store.get(
                    "old.mp4", into: target.descriptor, limit: Int64(Self.bytes.count), deadline: .farAway)
                #expect(try target.contents == Self.bytes)
            }
        }
    }

    @Test("Batches of removals and the sweep of interrupted uploads heal", arguments: Change.allCases)
    func upkeep(_ change: Change) async throws {
        let isBatch: @Sendable (CannedServer.Request) -> Bool = { $0.target.contains("?delete=") }
        try await Self.with(change, from: isBatch) { store, bucket in
            let failures = try await store.delete(["old.mp4", "other"], deadline: .farAway)
            #expect(failures == [:])
            #expect(bucket.keys == [])
        }
        let isAbort: @Sendable (CannedServer.Request) -> Bool = { $0.isAbort }
        try await Self.with(change, from: isAbort) { store, bucket in
            let record = UploadMemory()
            store.use(record)
            try await record.began(MultipartUpload(key: "left", id: bucket.leaveUpload("shop/left")))
            let count = try await store.abortUnfinished(deadline: .farAway)
            #expect(count == 1)
            #expect(bucket.uploads == [])
            #expect(record.keys == [])
        }
    }
}
