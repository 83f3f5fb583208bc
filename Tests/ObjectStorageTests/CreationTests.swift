import Testing

@testable import ObjectStorage

@Suite("The first object under a key", .timeLimit(.minutes(40)))
struct CreationTests {
    private static func create(_ store: S3Store, _ bytes: [UInt8]) async throws -> Creation {
        try await store.create("m", bytes, ObjectAttributes(), deadline: .farAway)
    }

    @Test("A server that refuses the second conditional PUT is believed, and tried once")
    func honoured() async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, inner in
            let key = String(request.target.dropFirst("/photos/".count))
            if request.headers["if-none-match"] == "*", bucket[key] != nil {
                return CannedBucket.error(412, "PreconditionFailed")
            }
            return inner(request)
        } _: { store, server in
            let outcomes = [try await Self.create(store, [1]), try await Self.create(store, [2])]
            #expect(outcomes == [.created, .taken])
            #expect(bucket["shop/m"]?.bytes == [1] && bucket.keys == ["shop/m"])
            #expect(server.requests.count { $0.method == "PUT" } == 4)
        }
    }

    @Test("One that ignores or refuses the condition stores nothing under the key", arguments: [200, 501])
    func ignored(status: Int) async throws {
        let bucket = CannedBucket()
        try await bucket.with { request, bucket in
            status == 501 && request.headers["if-none-match"] != nil
                ? CannedBucket.error(501, "NotImplemented") : bucket(request)
        } _: { store, server in
            let outcomes = [try await Self.create(store, [1]), try await Self.create(store, [1])]
            #expect(outcomes == [.notOffered, .notOffered])
            #expect(bucket.keys == [])
            #expect(server.requests.count { $0.method == "PUT" } == 2)
        }
    }
}
