import Testing

@testable import ObjectStorage

@Suite("Many objects are removed with few requests", .timeLimit(.minutes(40)))
struct BatchTests {
    private static func xml(_ content: String) -> [UInt8] {
        Array("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(content)</DeleteResult>".utf8)
    }

    @Test("A thousand keys are one request with a checksum, whole keys, and quiet")
    func batches() async throws {
        try await CannedS3.with { _ in
            .reply(200, body: Self.xml(""))
        } _: { store, server in
            let keys = (0..<2001).map { "d/\($0)&<x>.jpg" }
            #expect(try await store.delete(keys, deadline: .farAway) == [:])
            #expect(server.requests.map(\.target) == Array(repeating: "/photos?delete=", count: 3))
            let first = try #require(server.requests.first)
            #expect(first.headers["content-md5"] == base64(BodyDigests(of: first.body).md5))
            let text = String(decoding: first.body, as: UTF8.self)
            #expect(text.hasPrefix("<Delete><Quiet>true</Quiet><Object><Key>shop/d/0&amp;&lt;x&gt;.jpg</Key></Object>"))
            #expect(text.split(separator: "<Key>").count == 1001)
        }
    }

    @Test("Each key that was refused is told with its reason; one that was not there is removed")
    func refusals() async throws {
        let refusals = [("a", "AccessDenied"), ("b", "InternalError"), ("c", "NoSuchKey")].map {
            "<Error><Key>shop/\($0)</Key><Code>\($1)</Code><Message>no</Message></Error>"
        }
        try await CannedS3.with { _ in
            .reply(200, body: Self.xml(refusals.joined()))
        } _: { store, _ in
            let found = try await store.delete(["a", "b", "c", "d"], deadline: .farAway)
            #expect(Set(found.keys) == ["a", "b"])
            #expect(found["a"] == .denied(.server(.accessDenied), message: "no"))
            #expect(found["b"]?.isTransient == true)
        }
    }

    @Test(
        "A server without batches gets single removals, and is not asked again",
        arguments: [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "NotImplemented"), (405, "")])
    func refusedBatches(_ status: Int, _ code: String) async throws {
        let bucket = CannedBucket()
        for key in ["shop/a", "shop/b", "shop/c"] { bucket[key] = .init(bytes: [1], etag: "x", headers: [:]) }
        try await bucket.with { request, bucket in
            guard request.method == "POST" else { return bucket(request) }
            return code.isEmpty ? .reply(status) : CannedBucket.error(status, code)
        } _: { store, server in
            let first = try await store.delete(["a", "b"], deadline: .farAway)
            let second = try await store.delete(["c", "d"], deadline: .farAway)
            #expect(first == [:] && second == [:])
            #expect(bucket.keys == [])
            #expect(server.requests.count { $0.method == "POST" } == 1)
        }
    }

    @Test(
        "A batch that failed as a whole throws",
        arguments: [
            (200, "<Error><Code>InternalError</Code></Error>", "unreachable"), (200, "", "unreachable"),
            (200, "<DeleteResult>", "unreachable"), (503, "", "unreachable"),
            (403, "<Error><Code>AccessDenied</Code></Error>", "denied"),
            (404, "<Error><Code>NoSuchBucket</Code></Error>", "noSuchBucket"),
        ])
    func failedBatch(_ status: Int, _ body: String, _ meaning: String) async throws {
        try await CannedS3.with { _ in
            .reply(status, body: Array(body.utf8))
        } _: { store, _ in
            let found = await CannedS3.outcome { _ = try await store.delete(["a", "b"], deadline: .farAway) }
            #expect(found == meaning)
        }
    }
}
