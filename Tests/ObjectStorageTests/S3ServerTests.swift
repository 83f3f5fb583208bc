import Foundation
import Testing

@testable import ObjectStorage

@Suite("Against a real S3 server", .enabled(if: TestedStore.available.contains(.s3)), .timeLimit(.minutes(2)))
struct S3ServerTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static func store(bucket: String, secret: String? = nil) throws -> S3Store {
        var environment = environment
        if let secret { environment["AWS_SECRET_ACCESS_KEY"] = secret }
        return try S3Store(
            S3Configuration(
                bucket: bucket, prefix: "server-\(UUID())",
                options: StoreOptions(endpoint: environment["BACKUPFS_TEST_S3_ENDPOINT"]), environment: environment))
    }

    private static var bucket: String { environment["BACKUPFS_TEST_S3_BUCKET"] ?? "photos" }

    @Test("A wrong secret is denied, with the server's code")
    func wrongSecret() async throws {
        let store = try Self.store(bucket: Self.bucket, secret: "wrong")
        await #expect {
            try await store.check(deadline: .farAway)
        } throws: {
            guard case .denied("SignatureDoesNotMatch", _) = $0 as? ObjectStoreError else { return false }
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
}
