// A statement costs SQLite more than a row: a million rows are inserted in half the time when fifty of them share one. This
// needs SQLite's own interface, as GRDB binds values one statement at a time.

import GRDB
import GRDBSQLite

/// Values of rows that wait to be inserted.
struct BulkValues {
    fileprivate enum Value {
        case null
        case integer(Int64)
        /// Where its bytes are in `bytes`.
        case text(Range<Int>)
        case blob(Range<Int>)
    }

    fileprivate private(set) var values: [Value] = []
    /// Never empty, so that an empty text has an address.
    fileprivate private(set) var bytes: [UInt8] = [0]

    mutating func add(_ value: Int64?) { values.append(value.map { .integer($0) } ?? .null) }
    mutating func add(text: String?) { values.append(text.map { .text(keep($0.utf8)) } ?? .null) }
    mutating func add(blob: [UInt8]?) { values.append(blob.map { .blob(keep($0)) } ?? .null) }

    private mutating func keep(_ value: some Sequence<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes += value
        return start..<bytes.count
    }

    fileprivate mutating func removeAll() {
        values.removeAll(keepingCapacity: true)
        bytes.removeSubrange(1...)
    }
}

/// Inserts rows into one table, many with one statement; the rows of a statement go in one after the other, as if alone.
final class BulkInsert {
    /// With 22 values a row, far below SQLite's limit of 32,766 parameters.
    private static let rowsAtOnce = 50

    private let many: OpaquePointer
    private let one: OpaquePointer
    private let width: Int
    private var waiting = BulkValues()

    /// `insert` is the statement up to VALUES, `row` what follows it for one row, `conflict` what comes after the rows.
    ///
    /// The connection has to outlive this.
    init(_ database: Database, _ insert: String, row: String, conflict: String = "") throws {
        guard let connection = database.sqliteConnection else { throw DatabaseError(resultCode: .SQLITE_MISUSE) }
        width = row.count { $0 == "?" }
        one = try Self.prepare("\(insert) VALUES \(row) \(conflict)", connection)
        let rows = Array(repeating: row, count: Self.rowsAtOnce).joined(separator: ",")
        do { many = try Self.prepare("\(insert) VALUES \(rows) \(conflict)", connection) } catch {
            sqlite3_finalize(one)
            throw error
        }
    }

    deinit {
        sqlite3_finalize(one)
        sqlite3_finalize(many)
    }

    private static func prepare(_ sql: String, _ connection: OpaquePointer) throws -> OpaquePointer {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil) == SQLITE_OK,
            let statement
        else { throw failure(connection) }
        return statement
    }

    private static func failure(_ connection: OpaquePointer?) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
            message: sqlite3_errmsg(connection).map { String(cString: $0) })
    }

    /// Takes in a row, whose values `body` gives in their order; it is in the table after `flush` at the latest.
    func add(_ body: (inout BulkValues) -> Void) throws {
        body(&waiting)
        if waiting.values.count == width * Self.rowsAtOnce { try flush() }
    }

    /// Inserts the rows that wait.
    func flush() throws {
        let values = waiting.values
        try waiting.bytes.withUnsafeBytes { buffer in
            guard let bytes = buffer.baseAddress, !values.isEmpty else { return }
            if values.count == width * Self.rowsAtOnce { return try insert(values[...], bytes, many) }
            for start in stride(from: 0, to: values.count, by: width) {
                try insert(values[start..<start + width], bytes, one)
            }
        }
        waiting.removeAll()
    }

    private func insert(
        _ values: ArraySlice<BulkValues.Value>, _ bytes: UnsafeRawPointer, _ statement: OpaquePointer
    ) throws {
        for (index, value) in values.enumerated() {
            // SQLite reads the bytes where they are, and only until the statement is reset.
            let column = Int32(index + 1)
            let status =
                switch value {
                case .null: sqlite3_bind_null(statement, column)
                case .integer(let number): sqlite3_bind_int64(statement, column, number)
                case .text(let range):
                    (bytes + range.lowerBound).withMemoryRebound(to: CChar.self, capacity: range.count) {
                        sqlite3_bind_text(statement, column, $0, Int32(range.count), nil)
                    }
                case .blob(let range):
                    sqlite3_bind_blob(statement, column, bytes + range.lowerBound, Int32(range.count), nil)
                }
            guard status == SQLITE_OK else { throw Self.failure(sqlite3_db_handle(statement)) }
        }
        let status = sqlite3_step(statement)
        let failure = status == SQLITE_DONE ? nil : Self.failure(sqlite3_db_handle(statement))
        sqlite3_reset(statement)
        if let failure { throw failure }
    }
}
