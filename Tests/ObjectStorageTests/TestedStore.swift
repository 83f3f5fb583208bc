import Foundation
import ObjectStorage
import TestSupport

/// The stores that the contract is run over.
enum TestedStore: String, CaseIterable, Sendable {
    case memory
    case directory
    case faultless

    static var available: [TestedStore] { allCases }

    /// Runs a test on an empty store, and removes what it leaves.
    func with(_ test: @Sendable (any ObjectStore) async throws -> Void) async throws {
        switch self {
        case .memory: try await test(MemoryStore())
        case .faultless: try await test(FaultyStore(MemoryStore()))
        case .directory:
            let directory = try TemporaryDirectory()
            try await test(DirectoryStore(path: directory.path))
            withExtendedLifetime(directory) {}
        }
    }
}
