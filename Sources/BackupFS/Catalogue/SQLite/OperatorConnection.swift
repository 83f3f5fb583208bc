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
                let new = try Self.make(path, cacheKilobytes: 2000)
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
        try SQLiteCatalogue.translating { try last?.close() }
    }

    /// A connection that only reads.
    static func make(_ path: String, cacheKilobytes: Int) throws(CatalogueError) -> DatabaseQueue {
        try SQLiteCatalogue.translating {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -\(cacheKilobytes)")
            }
            return try DatabaseQueue(path: path, configuration: configuration)
        }
    }
}

extension SQLiteCatalogue {
    /// Answers a question on a connection of its own.
    ///
    /// It should be short: as long as it reads, the changes since it began stay in the write-ahead log.
    package func ask<Answer>(_ question: CatalogueQuestion<Answer>) async throws(CatalogueError) -> Answer {
        try await ask(question, on: questions)
    }

    package func askAtLength<Answer>(_ question: CatalogueQuestion<Answer>) async throws(CatalogueError) -> Answer {
        try await ask(question, on: longQuestions)
    }

    private func ask<Answer>(
        _ question: CatalogueQuestion<Answer>, on questions: OperatorConnection
    ) async throws(CatalogueError) -> Answer {
        guard reads.begin() else { throw .database(message: "the catalogue is closed") }
        defer { reads.end() }
        let connection = try questions.open()
        let result: Result<Answer, CatalogueError> = await withCheckedContinuation { continuation in
            connection.asyncRead { database in
                do throws(CatalogueError) {
                    let database = try Self.translating { try database.get() }
                    continuation.resume(returning: .success(try question.answer(CatalogueReader(database: database))))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
