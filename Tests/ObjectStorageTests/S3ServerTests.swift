import Foundation
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("Against a real S3 server", .enabled(if: TestedStore.available.contains(.s3)), .timeLimit(.minutes(40)))
struct S3ServerTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static func store(bucket: String, secret: String? = nil) throws -> S3Store {
        var environment = environment
        if let secret { environment["AWS_SECRET_ACCESS_KEY"] = secret }
        return try S3Store(
            S3Configuration(
                bucket: bucket, prefix: "server-\(UUID())",
                options: StoreOptions(endpoint: environment["BACKUPFS_TEST_S3_ENDPOINT"]), environment: environment),
            timeouts: CannedS3.patient)
    }

    private static var bucket: String { environment["BACKUPFS_TEST_S3_BUCKET"] ?? "photos" }

    @Test("A wrong secret is denied, with the server's code")
    func wrongSecret() async throws {
        let store = try Self.store(bucket: Self.bucket, secret: "wrong")
        await #expect {
            try await store.check(deadline: .farAway)
        } throws: {
            guard case .denied(.server(.signatureDoesNotMatch), _) = $0 as? ObjectStoreError else { return false }
            return true
        }
    }

    @Test("A bucket that does not exist is told, whatever is asked, and looking for it does not make it")
    func noBucket() async throws {
        let store = try Self.store(bucket: "no-such-\(UUID().uuidString.lowercased().prefix(8))")
        let target = try TemporaryFile()
        for _ in 1...2 {
            await #expect(throws: ObjectStoreError.noSuchBucket(store.location)) {
                try await store.check(deadline: .farAway)
            }
            await #expect(throws: ObjectStoreError.noSuchBucket(store.location)) {
                try await store.get("a", into: target.descriptor, limit: 1, deadline: .farAway)
            }
            await #expect(throws: ObjectStoreError.noSuchBucket(store.location)) {
                try await store.head("a", deadline: .farAway)
            }
        }
    }

    @Test(
        "Credentials from a profile, a clock two hours off and a changed secret: nobody notices",
        arguments: [7200, -7200])
    func healing(_ offset: Int64) async throws {
        func section(_ secret: String) -> String {
            """
            [backup]
            aws_access_key_id = \(Self.environment["AWS_ACCESS_KEY_ID"] ?? "")
            aws_secret_access_key = \(secret)
            """
        }
        let secret = try #require(Self.environment["AWS_SECRET_ACCESS_KEY"])
        let home = try Home(credentials: section(secret))
        let store = try S3Store(
            S3Configuration(
                bucket: Self.bucket, prefix: "healing-\(UUID())",
                options: StoreOptions(endpoint: Self.environment["BACKUPFS_TEST_S3_ENDPOINT"], profile: "backup"),
                environment: home.environment),
            timeouts: CannedS3.patient, clock: ServerClock { Int64(time(nil)) + offset })
        try await store.check(deadline: .farAway)
        try await CannedS3.put(store)
        #expect(try await CannedS3.get(store) == [1, 2, 3])
        guard case .clock(let ahead) = store.discoveries.first else {
            Issue.record("the clock was not noticed")
            return
        }
        #expect(abs(ahead.components.seconds + offset) <= 60)
        try await store.delete("a", deadline: .farAway)
        // A secret that is wrong for a while heals with the file: nothing is known of it but the signature.
        try home.write(credentials: section("wrong"))
        let other = try S3Store(
            S3Configuration(
                bucket: Self.bucket, prefix: "healing-\(UUID())",
                options: StoreOptions(endpoint: Self.environment["BACKUPFS_TEST_S3_ENDPOINT"], profile: "backup"),
                environment: home.environment))
        #expect(await CannedS3.outcome { try await other.check(deadline: .farAway) } == "denied")
        try home.write(credentials: section(secret))
        while await CannedS3.outcome({ try await other.check(deadline: .farAway) }) != nil {
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private static func uploads(_ store: S3Store) async throws -> [String] {
        let request = store.bucketRequest(.get, .upkeep, [("prefix", store.root), ("uploads", "")])
        let answer = try await store.loop.run(request, deadline: .farAway)
        var ids: [String] = []
        let isComplete = S3XML.read(answer.body) { path, text in
            if path == ["ListMultipartUploadsResult", "Upload", "UploadId"] { ids.append(text) }
        }
        #expect(isComplete && answer.status == 200)
        return ids
    }

    @Test("A later process aborts the upload that is on record, and one of another program in the same prefix goes on")
    func foreignUpload() async throws {
        let store = try Self.store(bucket: Self.bucket)
        let later = try S3Store(store.configuration)
        let record = UploadMemory()
        store.use(record)
        later.use(record)
        func begin(_ key: String) async throws -> String {
            var request = try store.objectRequest(.post, .write, key, [("uploads", "")])
            request.body = .bytes([], BodyDigests(of: []))
            let answer = try await store.loop.run(request, deadline: .farAway)
            return try #require(S3XML.text("InitiateMultipartUploadResult", "UploadId", in: answer.body))
        }
        // At the key of ours and at another.
        let theirs = [try await begin("v.mp4"), try await begin("other")]
        let ours = MultipartUpload(key: "v.mp4", id: try await begin("v.mp4"))
        try await record.began(ours)
        #expect(try await Self.uploads(later).sorted() == (theirs + [ours.id]).sorted())
        #expect(try await later.abortUnfinished(deadline: .farAway) == 1)
        #expect(try await Self.uploads(later).sorted() == theirs.sorted())
        #expect(record.keys == [])
        for (key, id) in zip(["v.mp4", "other"], theirs) {
            try await store.abort(MultipartUpload(key: key, id: id), deadline: .farAway)
        }
    }
}
