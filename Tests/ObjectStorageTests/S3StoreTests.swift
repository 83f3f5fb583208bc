import Foundation
import Glibc
import Testing

@testable import ObjectStorage

@Suite("What the S3 store makes of answers", .timeLimit(.minutes(2)))
struct S3StoreTests {
    private static let environment = ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "CANARY"]
    private static let listing = Array(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".utf8)

    private static func store(_ endpoint: String, transfers: Int = 4) throws -> S3Store {
        try S3Store(
            S3Configuration(
                bucket: "photos", prefix: "shop", options: StoreOptions(endpoint: endpoint, transfers: transfers),
                environment: environment))
    }

    /// Runs a test against a server that answers as told.
    private func with(
        _ answer: @escaping @Sendable (CannedServer.Request) -> CannedServer.Answer,
        _ test: @Sendable (S3Store, CannedServer) async throws -> Void
    ) async throws {
        let server = try CannedServer(answer)
        defer { server.stop() }
        try await test(try Self.store(server.endpoint), server)
    }

    private static func put(_ store: S3Store, deadline: ContinuousClock.Instant = .farAway) async throws {
        try await store.put("a", .bytes([1, 2, 3]), ObjectAttributes(), deadline: deadline)
    }

    private static func get(_ store: S3Store, deadline: ContinuousClock.Instant = .farAway) async throws -> [UInt8] {
        let target = try TemporaryFile()
        _ = try await store.get("a", into: target.descriptor, limit: 1000, deadline: deadline)
        return try target.contents
    }

    /// The kind of error that a request ends with; nil if it succeeds.
    private static func outcome(_ request: () async throws -> Void) async -> String? {
        do { try await request() } catch { return name(of: error) }
        return nil
    }

    private static func name(of error: any Error) -> String {
        switch error as? ObjectStoreError {
        case .notFound: "notFound"
        case .noSuchBucket: "noSuchBucket"
        case .denied: "denied"
        case .full: "full"
        case .unreachable: "unreachable"
        case .deadlineExceeded: "deadlineExceeded"
        case .corrupted: "corrupted"
        case .contentChanged: "contentChanged"
        case .rejected: "rejected"
        case .localFile: "localFile"
        case nil: "\(error)"
        }
    }

    @Test(
        "Each error answer to a put has its meaning",
        arguments: [
            (403, "SignatureDoesNotMatch", "denied"), (403, "InvalidAccessKeyId", "denied"),
            (403, "AccessDenied", "denied"),
            (403, "RequestTimeTooSkewed", "denied"), (400, "ExpiredToken", "denied"), (403, "", "denied"),
            (403, "QuotaExceeded", "full"), (507, "", "full"), (507, "InsufficientStorage", "full"),
            (404, "NoSuchBucket", "noSuchBucket"), (500, "InternalError", "unreachable"), (500, "", "unreachable"),
            (502, "", "unreachable"), (503, "SlowDown", "unreachable"), (503, "", "unreachable"),
            (504, "", "unreachable"),
            (429, "TooManyRequests", "unreachable"), (409, "OperationAborted", "unreachable"),
            (400, "RequestTimeout", "unreachable"), (400, "BadDigest", "corrupted"),
            (400, "XAmzContentSHA256Mismatch", "corrupted"), (400, "EntityTooLarge", "rejected"),
            (412, "PreconditionFailed", "rejected"), (301, "PermanentRedirect", "rejected"),
            (307, "TemporaryRedirect", "rejected"), (501, "NotImplemented", "rejected"),
            (200, "InternalError", "unreachable"),
        ])
    func table(_ status: Int, _ code: String, _ meaning: String) async throws {
        let body = code.isEmpty ? "" : "<Error><Code>\(code)</Code><Message>a &amp; b</Message></Error>"
        try await with { _ in
            .reply(status, headers: ["Location": "http://127.0.0.1:1/"], body: Array(body.utf8))
        } _: { store, server in
            #expect(await Self.outcome { try await Self.put(store) } == meaning)
            #expect(server.requests.count == 1)
        }
    }

    @Test("A refusal carries the server's code and message; a skewed clock gets a hint")
    func refusal() async throws {
        try await with { request in
            let code = request.method == "PUT" ? "AccessDenied" : "RequestTimeTooSkewed"
            return .reply(403, body: Array("<Error><Code>\(code)</Code><Message>no &lt;way&gt;</Message></Error>".utf8))
        } _: { store, _ in
            await #expect(throws: ObjectStoreError.denied(code: "AccessDenied", message: "no <way>")) {
                try await Self.put(store)
            }
            await #expect {
                try await store.check(deadline: .farAway)
            } throws: {
                "\($0)".contains("set the clock")
            }
        }
    }

    @Test(
        "Absence is believed only from an S3 server with the bucket",
        arguments: [
            ("<Error><Code>NoSuchKey</Code></Error>", true, "notFound"),
            ("<Error><Code>NoSuchBucket</Code></Error>", true, "noSuchBucket"), ("", true, "notFound"),
            ("", false, "noSuchBucket"), ("<html>404 Not Found</html>", true, "unreachable"),
            ("404 page not found", true, "unreachable"),
        ])
    func absence(_ body: String, _ bucketIsThere: Bool, _ meaning: String) async throws {
        try await with { request in
            guard request.target.contains("list-type") else { return .reply(404, body: Array(body.utf8)) }
            return bucketIsThere
                ? .reply(200, body: Self.listing)
                : .reply(404, body: Array("<Error><Code>NoSuchBucket</Code></Error>".utf8))
        } _: { store, _ in
            #expect(await Self.outcome { _ = try await Self.get(store) } == meaning)
        }
    }

    @Test("A HEAD that finds nothing asks whether the bucket is there", arguments: [true, false])
    func headAbsence(_ bucketIsThere: Bool) async throws {
        try await with { request in
            if request.method == "HEAD" { return .reply(404) }
            return bucketIsThere
                ? .reply(200, body: Self.listing)
                : .reply(404, body: Array("<Error><Code>NoSuchBucket</Code></Error>".utf8))
        } _: { store, _ in
            let found = await Self.outcome {
                let summary = try await store.head("a", deadline: .farAway)
                #expect(summary == nil)
            }
            #expect(found == (bucketIsThere ? nil : "noSuchBucket"))
        }
    }

    @Test("Deleting what is not there succeeds; in a bucket that is not there it does not")
    func deleting() async throws {
        try await with { request in
            let code = request.target.contains("/b") ? "NoSuchBucket" : "NoSuchKey"
            return .reply(404, body: Array("<Error><Code>\(code)</Code></Error>".utf8))
        } _: { store, _ in
            try await store.delete("a", deadline: .farAway)
            await #expect(throws: ObjectStoreError.noSuchBucket("s3://photos/shop")) {
                try await store.delete("b", deadline: .farAway)
            }
        }
    }

    @Test("A wrong ETag means damage, an ETag that is no MD5 or is opaque means nothing")
    func etags() async throws {
        let right = hexadecimal(ContentDigests(of: [1, 2, 3]).md5)
        let wrong = String(repeating: "0", count: 32)
        let cases: [([String: String], String?)] = [
            (["ETag": "\"\(right)\""], nil), (["ETag": right.uppercased()], nil),
            (["ETag": "\"\(wrong)\""], "corrupted"),
            (["ETag": "\"\(wrong)-1\""], nil), ([:], nil),
            (["ETag": "\"\(wrong)\"", "x-amz-server-side-encryption": "aws:kms"], nil),
        ]
        for (headers, meaning) in cases {
            try await with { _ in
                .reply(200, headers: headers)
            } _: { store, _ in
                #expect(await Self.outcome { try await Self.put(store) } == meaning)
            }
        }
    }

    @Test("When the server finds other bytes, a file that has changed is to blame, else the way")
    func blame() async throws {
        try await with { _ in
            .reply(400, body: Array("<Error><Code>BadDigest</Code></Error>".utf8))
        } _: { store, _ in
            let file = try TemporaryFile(sampleBytes(1000))
            let body = try file.body()
            let put = { try await store.put("a", body, ObjectAttributes(), deadline: .farAway) }
            #expect(await Self.outcome(put) == "corrupted")
            try LocalFile(file.descriptor).write([0, 0, 0, 0])
            #expect(await Self.outcome(put) == "contentChanged")
        }
    }

    @Test("A body that ends too early is no object")
    func truncation() async throws {
        try await with { _ in
            .truncated(promised: 100, body: sampleBytes(50))
        } _: { store, _ in
            #expect(await Self.outcome { _ = try await Self.get(store) } == "unreachable")
        }
    }

    @Test("An answer larger than the limit is cut off, not stored")
    func tooLarge() async throws {
        try await with { _ in
            .reply(200, body: sampleBytes(2_000_000))
        } _: { store, _ in
            let target = try TemporaryFile()
            let found = await Self.outcome {
                _ = try await store.get("a", into: target.descriptor, limit: 1000, deadline: .farAway)
            }
            #expect(found == "corrupted")
            #expect(try target.contents.count <= 1000)
        }
    }

    @Test("A reset connection and one that nobody accepts are unreachable")
    func noConnection() async throws {
        try await with { _ in
            .reset
        } _: { store, _ in
            #expect(await Self.outcome { try await Self.put(store) } == "unreachable")
        }
        let store = try Self.store("http://127.0.0.1:\(try CannedServer.unusedPort())")
        #expect(await Self.outcome { try await Self.put(store) } == "unreachable")
    }

    @Test("A server that never answers costs no more than the deadline")
    func hang() async throws {
        try await with { _ in
            .hang
        } _: { store, _ in
            #expect(await Self.outcome { try await Self.put(store, deadline: .soon) } == "deadlineExceeded")
            #expect(await Self.outcome { _ = try await Self.get(store, deadline: .soon) } == "deadlineExceeded")
            #expect(await Self.outcome { try await store.check(deadline: .soon) } == "deadlineExceeded")
        }
    }

    /// Long after the suite's time limit: only a test whose promise is broken waits for it.
    private static var tooFar: ContinuousClock.Instant { .now + .seconds(3600) }

    @Test("While 500 uploads hang, a recovery goes through")
    func reservedTransfers() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await with { request in
            guard request.method == "PUT" else { return .reply(200, body: [9]) }
            arrival.yield()
            return .hang
        } _: { store, server in
            let outcomes = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<500 {
                    group.addTask { await Self.outcome { try await Self.put(store, deadline: Self.tooFar) } }
                }
                // All transfers that uploads may have are taken: three of four.
                var iterator = arrivals.makeAsyncIterator()
                for _ in 1...3 { await iterator.next() }
                #expect(try await Self.get(store, deadline: Self.tooFar) == [9])
                #expect(server.requests.count { $0.method == "PUT" } == 3)
                server.stop()
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(outcomes == Array(repeating: "unreachable", count: 500))
        }
    }

    @Test("Requests that wait for a transfer end at their deadline too")
    func queuedDeadline() async throws {
        try await with { _ in
            .hang
        } _: { store, server in
            let outcomes = await withTaskGroup(of: String?.self) { group in
                let deadline = ContinuousClock.Instant.soon
                for _ in 0..<50 {
                    group.addTask { await Self.outcome { try await Self.put(store, deadline: deadline) } }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(outcomes == Array(repeating: "deadlineExceeded", count: 50))
            #expect(server.requests.count <= 3)
        }
    }

    @Test("A cancelled request ends long before its deadline, waiting or running")
    func cancellation() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await with { _ in
            arrival.yield()
            return .hang
        } _: { store, _ in
            let tasks = (0..<10).map { _ in
                Task { await Self.outcome { try await Self.put(store, deadline: Self.tooFar) } }
            }
            var iterator = arrivals.makeAsyncIterator()
            for _ in 1...3 { await iterator.next() }
            for task in tasks { task.cancel() }
            for task in tasks { #expect(await task.value == "deadlineExceeded") }
        }
    }

    @Test("A put is one plain request: length, checksums, metadata, no Expect, and no secret")
    func request() async throws {
        try await with { _ in
            .reply(200)
        } _: { store, server in
            let file = try TemporaryFile(sampleBytes(300_000))
            let attributes = ObjectAttributes(contentType: "image/jpeg", metadata: ["mode": "33188", "empty": ""])
            try await store.put("d/a b+c~1.jpg", try file.body(), attributes, deadline: .farAway)
            let request = try #require(server.requests.first)
            let digests = ContentDigests(of: sampleBytes(300_000))
            #expect(request.target == "/photos/shop/d/a%20b%2Bc~1.jpg")
            #expect(request.body == sampleBytes(300_000))
            #expect(request.headers["content-md5"] == base64(digests.md5))
            #expect(request.headers["x-amz-content-sha256"] == digests.sha256Hex)
            #expect(request.headers["content-type"] == "image/jpeg")
            #expect(request.headers["x-amz-meta-mode"] == "33188")
            #expect(request.headers["x-amz-meta-empty"] == "")
            #expect(request.headers["expect"] == nil)
            #expect(request.headers["transfer-encoding"] == nil)
            #expect(!"\(request)".contains("CANARY"))
        }
    }

    @Test(
        "S5: metadata that a header cannot hold is refused before anything is sent",
        arguments: ["a\r\nb: c", "ä", "a\0"])
    func hostileMetadata(_ value: String) async throws {
        try await with { _ in
            .reply(200)
        } _: { store, server in
            let found = await Self.outcome {
                try await store.put(
                    "a", .bytes([]), ObjectAttributes(metadata: ["path": value]), deadline: .farAway)
            }
            #expect(found == "rejected")
            #expect(server.requests.isEmpty)
        }
    }

    @Test("A file that becomes shorter while it is sent has changed")
    func shortFile() async throws {
        try await with { _ in
            .reply(200)
        } _: { store, _ in
            let file = try TemporaryFile(sampleBytes(10_000))
            let body = try file.body()
            try LocalFile(file.descriptor).truncate(to: 5000)
            let found = await Self.outcome { try await store.put("a", body, ObjectAttributes(), deadline: .farAway) }
            #expect(found == "contentChanged")
        }
    }

    @Test(
        "S6: a listing that is cut short, hostile or foreign is refused",
        arguments: [
            "", "<ListBucketResult>", "<html></html>", "not XML",
            "<ListBucketResult><Contents><Key>shop/a</Key><Size>1</Size></Contents>",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><ListBucketResult></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Key>shop/a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>other/a</Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult>\(String(repeating: "<a>", count: 100_000))</ListBucketResult>",
        ])
    func badListing(_ body: String) async throws {
        try await with { _ in
            .reply(200, body: Array(body.utf8))
        } _: { store, _ in
            let found = await Self.outcome { _ = try await store.list(prefix: "", after: nil, deadline: .farAway) }
            #expect(found == "unreachable" || found == "rejected")
        }
    }

    @Test("A listing goes on by itself while the server has more")
    func continuation() async throws {
        try await with { request in
            let isFirst = !request.target.contains("continuation-token")
            let more = isFirst ? "<NextContinuationToken>x=/&amp;y</NextContinuationToken>" : ""
            let key = isFirst ? "shop/a%20b%2B+c" : "shop/d"
            return .reply(
                200,
                body: Array(
                    """
                    <ListBucketResult><IsTruncated>\(isFirst)</IsTruncated>\(more)<Contents><Key>\(key)</Key>\
                    <Size>7</Size></Contents></ListBucketResult>
                    """.utf8))
        } _: { store, server in
            let found = try await store.list(prefix: "", after: nil, deadline: .farAway)
            #expect(found == [ListedObject(key: "a b+ c", size: 7), ListedObject(key: "d", size: 7)])
            #expect(server.requests.last?.target.contains("continuation-token=x%3D%2F%26y") == true)
        }
    }
}
