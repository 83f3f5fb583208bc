import Foundation
import Linux
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("What the S3 store makes of answers", .timeLimit(.minutes(40)))
struct S3StoreTests {
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
        try await CannedS3.with { _ in
            .reply(status, headers: ["Location": "http://127.0.0.1:1/"], body: Array(body.utf8))
        } _: { store, server in
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == meaning)
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        "Retry-After is taken along, in seconds or as a date; nonsense is not",
        arguments: [
            ("7", Duration.seconds(7)), ("0", .zero), ("-1", nil), ("99999999999", nil), ("soon", nil),
            ("Fri, 31 Dec 1999 23:59:59 GMT", .zero),
        ])
    func retryAfter(_ header: String, _ meaning: Duration?) async throws {
        try await CannedS3.with { _ in
            .reply(503, headers: ["Retry-After": header])
        } _: { store, _ in
            await #expect {
                try await CannedS3.put(store)
            } throws: {
                ($0 as? ObjectStoreError)?.retryAfter == meaning
            }
        }
        if meaning == .zero {
            #expect(RetryAfter.parse("Fri, 31 Dec 2060 23:59:59 GMT").map { $0 > .seconds(60) } == true)
        }
    }

    @Test("A refusal carries the server's code and message; a skewed clock gets a hint")
    func refusal() async throws {
        try await CannedS3.with { request in
            let code = request.method == "PUT" ? "AccessDenied" : "RequestTimeTooSkewed"
            return .reply(403, body: Array("<Error><Code>\(code)</Code><Message>no &lt;way&gt;</Message></Error>".utf8))
        } _: { store, _ in
            await #expect(throws: ObjectStoreError.denied(.server(.accessDenied), message: "no <way>")) {
                try await CannedS3.put(store)
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
        try await CannedS3.with { request in
            guard request.target.contains("list-type") else { return .reply(404, body: Array(body.utf8)) }
            return bucketIsThere
                ? .reply(200, body: CannedS3.listing)
                : .reply(404, body: Array("<Error><Code>NoSuchBucket</Code></Error>".utf8))
        } _: { store, _ in
            #expect(await CannedS3.outcome { _ = try await CannedS3.get(store) } == meaning)
        }
    }

    @Test("A HEAD that finds nothing asks whether the bucket is there", arguments: [true, false])
    func headAbsence(_ bucketIsThere: Bool) async throws {
        try await CannedS3.with { request in
            if request.method == "HEAD" { return .reply(404) }
            return bucketIsThere
                ? .reply(200, body: CannedS3.listing)
                : .reply(404, body: Array("<Error><Code>NoSuchBucket</Code></Error>".utf8))
        } _: { store, _ in
            let found = await CannedS3.outcome {
                let summary = try await store.head("a", deadline: .farAway)
                #expect(summary == nil)
            }
            #expect(found == (bucketIsThere ? nil : "noSuchBucket"))
        }
    }

    @Test("Deleting what is not there succeeds; in a bucket that is not there it does not")
    func deleting() async throws {
        try await CannedS3.with { request in
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
        let right = hexadecimal(BodyDigests(of: [1, 2, 3]).md5)
        let wrong = String(repeating: "0", count: 32)
        let cases: [([String: String], String?)] = [
            (["ETag": "\"\(right)\""], nil), (["ETag": right.uppercased()], nil),
            (["ETag": "\"\(wrong)\""], "corrupted"),
            (["ETag": "\"\(wrong)-1\""], nil), ([:], nil),
            (["ETag": "\"\(wrong)\"", "x-amz-server-side-encryption": "aws:kms"], nil),
        ]
        for (headers, meaning) in cases {
            try await CannedS3.with { _ in
                .reply(200, headers: headers)
            } _: { store, _ in
                #expect(await CannedS3.outcome { try await CannedS3.put(store) } == meaning)
            }
        }
    }

    @Test("When the server finds other bytes, a file that has changed is to blame, else the way")
    func blame() async throws {
        try await CannedS3.with { _ in
            .reply(400, body: Array("<Error><Code>BadDigest</Code></Error>".utf8))
        } _: { store, _ in
            let file = try TemporaryFile(sampleBytes(1000))
            let body = try file.body()
            let put = { try await store.put("a", body, ObjectAttributes(), deadline: .farAway) }
            #expect(await CannedS3.outcome(put) == "corrupted")
            try LocalFile(file.descriptor).write([0, 0, 0, 0])
            #expect(await CannedS3.outcome(put) == "contentChanged")
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
        try await CannedS3.with { _ in
            .reply(200, body: Array(body.utf8))
        } _: { store, _ in
            let found = await CannedS3.outcome { _ = try await store.list(prefix: "", after: nil, deadline: .farAway) }
            #expect(found == "unreachable" || found == "rejected")
        }
    }

    @Test("A listing goes on by itself while the server has more")
    func continuation() async throws {
        try await CannedS3.with { request in
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

    @Test("The nearest prefix above that holds a key is found; what may not be listed counts as not there")
    func ancestor() async throws {
        let keys = Mutex<Set<String>>([])
        let server = try CannedServer { request in
            let query = URLComponents(string: request.target)?.queryItems ?? []
            let prefix = query.first { $0.name == "prefix" }?.value ?? ""
            if prefix == "a/b/m" { return CannedBucket.error(403, "AccessDenied") }
            let found = keys.withLock { $0.filter { $0.hasPrefix(prefix) }.sorted() }
            let content = found.map { "<Contents><Key>\($0)</Key><Size>1</Size></Contents>" }.joined()
            return .reply(
                200,
                body: Array("<ListBucketResult><IsTruncated>false</IsTruncated>\(content)</ListBucketResult>".utf8))
        }
        defer { server.stop() }
        func ancestor(of prefix: String) async throws -> String? {
            let store = try S3Store(
                S3Configuration(
                    bucket: "photos", prefix: prefix, options: StoreOptions(endpoint: server.endpoint),
                    environment: CannedS3.environment))
            return try await store.ancestor(holding: "m", deadline: .farAway)
        }
        keys.withLock { $0 = ["a/b/c/d/m", "a/b/m", "a/bc/m", "b/m", "a/mm"] }
        #expect(try await ancestor(of: "a/b/c/d") == nil)
        #expect(try await ancestor(of: "") == nil)
        _ = keys.withLock { $0.insert("m") }
        #expect(try await ancestor(of: "a/b/c/d") == "s3://photos")
        #expect(try await ancestor(of: "z") == "s3://photos")
        #expect(try await ancestor(of: "") == nil)
        _ = keys.withLock { $0.insert("a/m") }
        #expect(try await ancestor(of: "a/b/c/d") == "s3://photos/a")
    }
}
