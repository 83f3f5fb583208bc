import Foundation
import Logging
import ObjectStorage
import TestSupport

/// The stores that the contract is run over.
enum TestedStore: String, CaseIterable, Sendable {
    case memory
    case directory
    case faultless
    case s3

    private static let endpoint = ProcessInfo.processInfo.environment["BACKUPFS_TEST_S3_ENDPOINT"]

    /// All of them; S3 only if there is a server to talk to.
    static var available: [TestedStore] { endpoint == nil ? allCases.filter { $0 != .s3 } : allCases }

    /// Runs a test on an empty store, and removes what it leaves.
    func with(_ test: @Sendable (any ObjectStore) async throws -> Void) async throws {
        switch self {
        case .memory: try await test(MemoryStore())
        case .faultless: try await test(FaultyStore(MemoryStore()))
        case .directory:
            let directory = try TemporaryDirectory()
            try await test(DirectoryStore(path: directory.path))
            withExtendedLifetime(directory) {}
        case .s3:
            let environment = ProcessInfo.processInfo.environment
            let bucket = environment["BACKUPFS_TEST_S3_BUCKET"] ?? "photos"
            // The smallest parts that S3 allows: 10 MiB are sent and read in parts.
            let store = try makeObjectStore(
                try BackupURL("s3://\(bucket)/contract/\(UUID())"),
                StoreOptions(endpoint: Self.endpoint, partSize: 5 << 20),
                environment: environment, logger: Logger(label: "test"))
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await test(store)) } catch { outcome = .failure(error) }
            while true {
                let objects = try await store.list(prefix: "", after: nil, deadline: .farAway)
                for object in objects { try await store.delete(object.key, deadline: .farAway) }
                if objects.count < 1000 { break }
            }
            try outcome.get()
        }
    }
}
