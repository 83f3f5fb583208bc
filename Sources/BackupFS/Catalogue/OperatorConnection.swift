// Operators' questions look at many rows. They have a connection of their own, so that lookups never wait for one.

import GRDB
import Synchronization

/// The connection that answers operators' questions, one at a time; opened with the first.
final class OperatorConnection: Sendable {
    private let path: String
    /// Guards the connection; nil before the first question and after the end.
    private let queue = Mutex<DatabaseQueue?>(nil)

    init(path: String) { self.path = path }

    /// Opens the connection if it is not.
    func open() throws(CatalogueError) -> DatabaseQueue {
        let result = queue.withLock { queue -> Result<DatabaseQueue, CatalogueError> in
            if let queue { return .success(queue) }
            do throws(CatalogueError) {
                let new = try make()
                queue = new
                return .success(new)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Closes the connection; no question may be under way.
    func close() throws(CatalogueError) {
        let last = queue.withLock { $0.take() }
        try ResourceCatalogue.translating { try last?.close() }
    }

    private func make() throws(CatalogueError) -> DatabaseQueue {
        try ResourceCatalogue.translating {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -2000")
            }
            return try DatabaseQueue(path: path, configuration: configuration)
        }
    }
}

extension ResourceCatalogue {
    /// Reads a consistent snapshot for an operator, after the questions before it, on no thread of the caller's.
    ///
    /// A question should be short: as long as it reads, the changes since it began stay in the write-ahead log.
    package func ask<Value: Sendable>(
        _ body: @escaping @Sendable (CatalogueReader) throws(CatalogueError) -> Value
    ) async throws(CatalogueError) -> Value {
        guard reads.begin() else { throw .database(message: "the catalogue is closed") }
        defer { reads.end() }
        let connection = try questions.open()
        let result: Result<Value, CatalogueError> = await withCheckedContinuation { continuation in
            connection.asyncRead { database in
                do throws(CatalogueError) {
                    let database = try Self.translating { try database.get() }
                    continuation.resume(returning: .success(try body(CatalogueReader(database: database))))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
