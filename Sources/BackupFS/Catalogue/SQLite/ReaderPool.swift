// Connections that only read. GRDB's own pool asks for the schema's version in a transaction of its own before each read, which costs
// more than most questions; nothing here changes the schema once the catalogue is open.

import Dispatch
import GRDB
import Synchronization

/// A few connections, one reader at a time on each.
final class ReaderPool: Sendable {
    private static let size = 4

    private let path: String
    /// Those that are free, the one used last at the end; opened when they are first needed.
    private let free: Mutex<[DatabaseQueue?]>
    /// One signal for each that is free.
    private let isFree = DispatchSemaphore(value: 0)

    init(path: String) {
        self.path = path
        free = Mutex(Array(repeating: nil, count: Self.size))
        for _ in 0..<Self.size { isFree.signal() }
    }

    /// Runs `body` on a connection that nobody else uses meanwhile, on this thread.
    func use<Value>(_ body: (Database) throws(CatalogueError) -> Value) throws(CatalogueError) -> Value {
        isFree.wait()
        var connection = free.withLock { $0.removeLast() }
        defer {
            free.withLock { $0.append(connection) }
            isFree.signal()
        }
        if connection == nil { connection = try OperatorConnection.make(path, cacheKilobytes: 4000) }
        guard let connection else { throw .database(message: "there is no connection") }
        let result = connection.unsafeRead { database -> Result<Value, CatalogueError> in
            do throws(CatalogueError) { return .success(try body(database)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Closes them; none may be in use.
    func close() throws(CatalogueError) {
        let all = free.withLock { free in
            defer { free = free.map { _ in nil } }
            return free
        }
        for connection in all { try SQLiteCatalogue.translating { try connection?.close() } }
    }
}
