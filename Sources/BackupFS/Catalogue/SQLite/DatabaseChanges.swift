// SQLite tells of each row that a connection inserts, updates or deletes, by the table's name and the row's number, whatever statement
// or trigger does it. Source: https://www.sqlite.org/c3ref/update_hook.html (tables with a rowid only).

import GRDB
import GRDBSQLite
import Glibc

/// Tells a memory of what the writer touches.
enum DatabaseChanges {
    /// `memory` must live as long as the connection.
    static func tell(_ memory: CatalogueMemory, of database: Database) {
        sqlite3_update_hook(
            database.sqliteConnection,
            { context, _, _, table, row in
                guard let context, let table else { return }
                let memory = Unmanaged<CatalogueMemory>.fromOpaque(context).takeUnretainedValue()
                if strcmp(table, "resource") == 0 {
                    memory.touchesRow(ResourceID(row))
                } else if strcmp(table, "name") == 0 {
                    memory.touchesName(row)
                }
            }, Unmanaged.passUnretained(memory).toOpaque())
    }
}
