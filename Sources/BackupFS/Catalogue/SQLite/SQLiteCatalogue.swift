// The catalogue in SQLite. Reads run beside each other on snapshots; changes go through the commit queue, in order.

import Foundation
import GRDB
import Synchronization

/// The database of one main directory.
///
/// Safe to use from every thread. The caller makes sure that no other process uses it (the lock of main storage).
package final class SQLiteCatalogue: ResourceCatalogue {
    let pool: DatabasePool
    let queue: CommitQueue
    let log: LogSync
    private let known = CatalogueMemory()
    private let readers: ReaderPool
    let reads = ReadsUnderWay()
    let questions: OperatorConnection
    let longQuestions: OperatorConnection

    /// Opens, and if it does not exist creates, `catalogue.sqlite` in the directory that `directory` is open on.
    ///
    /// The descriptor stays the caller's and must stay open as long as the catalogue is used.
    package init(directory: Int32) throws(CatalogueError) {
        guard DescriptorFileSystem.register() else { throw .database(message: "SQLite's VFS cannot be registered") }
        let path = "/proc/self/fd/\(directory)/catalogue.sqlite"
        pool = try Self.translating {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { database in
                // The log grows to 32 MB before it is written back: each time all its pages are synced twice.
                try database.execute(
                    sql: """
                        PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8000; PRAGMA synchronous = NORMAL;
                        PRAGMA wal_autocheckpoint = 8000; PRAGMA temp_store = MEMORY
                        """)
            }
            let pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            guard try pool.read(migrator.hasBeenSuperseded) == false else { throw CatalogueError.newerSchema }
            try migrator.migrate(pool)
            try Self.emptyLog(pool)
            return pool
        }
        log = LogSync(directory: directory, log: "catalogue.sqlite-wal")
        queue = CommitQueue(pool: pool, log: log, memory: known)
        readers = ReaderPool(path: path)
        pool.writeWithoutTransaction { [known] in DatabaseChanges.tell(known, of: $0) }
        questions = OperatorConnection(path: path)
        longQuestions = OperatorConnection(path: path)
    }

    /// Writes all of the log back into the database, and syncs that.
    ///
    /// What an earlier run has in the log may be in the kernel's cache only, although a later sync says nothing of it: a
    /// sync that failed is told once. SQLite has checked the sum of every frame when it opened the log.
    private static func emptyLog(_ pool: DatabasePool) throws {
        do {
            try pool.writeWithoutTransaction { database in _ = try database.checkpoint(.truncate) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
            // On a full disk files can still be read and deleted.
        }
    }

    /// Throws `.damaged` if SQLite finds its file damaged.
    ///
    /// Reads all of the file: about a second for a million resources.
    package func checkIntegrity() throws(CatalogueError) {
        let finding = try read { reader throws(CatalogueError) in
            try reader.row("PRAGMA quick_check(1)", []).map { $0[0] as String }
        }
        guard finding == "ok" else { throw .damaged(message: finding ?? "no answer") }
    }

    /// Closes every connection; reads and changes fail afterwards.
    ///
    /// Waits on this thread for those that are under way.
    package func close() throws(CatalogueError) {
        reads.close()
        known.forgetAll()
        try readers.close()
        try questions.close()
        try longQuestions.close()
        try Self.translating { try pool.close() }
    }

    package var memory: CatalogueMemory? { known }

    package func answer<Answer>(
        _ body: (any CatalogueQuestions) throws(CatalogueError) -> Answer
    ) throws(CatalogueError) -> Answer {
        try read { reader throws(CatalogueError) in try body(reader) }
    }

    package func change<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) throws(CatalogueError) -> Outcome {
        try self.change(durability) { writer throws(CatalogueError) in try change.apply(writer) }
    }

    /// Reads a consistent snapshot, on this thread.
    func read<Value>(
        _ body: (CatalogueReader) throws(CatalogueError) -> Value
    ) throws(CatalogueError) -> Value {
        guard reads.begin() else { throw .database(message: "the catalogue is closed") }
        defer { reads.end() }
        return try readers.use { database throws(CatalogueError) in
            let generation = known.generation
            try Self.translating { try database.cachedStatement(sql: "BEGIN DEFERRED").execute() }
            defer { try? database.cachedStatement(sql: "COMMIT").execute() }
            return try body(CatalogueReader(database: database, memory: (known, generation)))
        }
    }

    /// Changes the catalogue and waits, on this thread, until the change is committed.
    func change<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) throws(CatalogueError) -> Value {
        let result = Mutex<Value?>(nil)
        try Self.translating {
            try queue.submitAndWait(durability) { [known] database in
                let value = try body(CatalogueWriter(database: database, memory: known))
                result.withLock { $0 = value }
            }
        }
        guard let value = result.withLock({ $0 }) else { throw .database(message: "a change gave no result") }
        return value
    }

    package func changeLater<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>
    ) async throws(CatalogueError) -> Outcome {
        let result: Result<Outcome, CatalogueError> = await withCheckedContinuation { continuation in
            queue.submit(submission(durability, change) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    package func record<Outcome>(
        _ change: CatalogueChange<Outcome>, patiently: Bool,
        finished: @escaping @Sendable (Result<Outcome, CatalogueError>) -> Void
    ) {
        let submission = submission(.processCrash, change, finished)
        if patiently { queue.submitPatiently(submission) } else { queue.submit(submission) }
    }

    private func submission<Outcome>(
        _ durability: Durability, _ change: CatalogueChange<Outcome>,
        _ finished: @escaping @Sendable (Result<Outcome, CatalogueError>) -> Void
    ) -> CommitQueue.Change {
        let outcome = Mutex<Outcome?>(nil)
        return .init(durability: durability) { [known] database in
            let new = try change.apply(CatalogueWriter(database: database, memory: known))
            outcome.withLock { $0 = new }
        } finished: { error in
            if let error {
                finished(.failure(Self.translate(error)))
            } else if let new = outcome.withLock({ $0 }) {
                finished(.success(new))
            } else {
                finished(.failure(.database(message: "a change gave no result")))
            }
        }
    }

    package func waitUntilDurable() throws(CatalogueError) {
        let done = DispatchSemaphore(value: 0)
        let failure = Mutex<CatalogueError?>(nil)
        log.whenDone { error in
            failure.withLock { $0 = error }
            done.signal()
        }
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    package func whenDurable(_ finished: @escaping @Sendable (CatalogueError?) -> Void) { log.whenDone(finished) }

    static func translating<Value>(_ body: () throws -> Value) throws(CatalogueError) -> Value {
        do { return try body() } catch { throw translate(error) }
    }

    static func translate(_ error: any Error) -> CatalogueError {
        if let error = error as? CatalogueError { return error }
        guard let error = error as? DatabaseError else { return .database(message: "\(error)") }
        switch error.resultCode {
        case .SQLITE_FULL: return .diskFull
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .damaged(message: error.message ?? "\(error.resultCode)")
        default: return .database(message: error.description)
        }
    }
}
