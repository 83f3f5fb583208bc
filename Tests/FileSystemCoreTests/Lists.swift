import FileSystemCore
import Synchronization

// The operator's lists in one piece.

extension FileSystemOperator {
    func leftovers() async throws -> [LeftoverReport] {
        let rows = Mutex<[LeftoverReport]>([])
        try await leftovers { page in rows.withLock { $0 += page } }
        return rows.withLock { $0 }
    }

    func clean() async throws -> CleanReport { try await clean(dryRun: false) { _ in } }
}
