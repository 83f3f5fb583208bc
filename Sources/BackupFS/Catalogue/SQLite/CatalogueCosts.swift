import GRDB
import GRDBSQLite
import Synchronization

/// What a catalogue has cost so far.
struct CatalogueCosts: Hashable, Sendable {
    /// Snapshots that were read.
    var reads = 0
    /// Transactions that were committed.
    var transactions = 0
    /// Pages that they wrote to the log, 4 KB each.
    var pages = 0
    /// Times that the log was synced.
    var syncs = 0

    static func - (later: Self, earlier: Self) -> Self {
        Self(
            reads: later.reads - earlier.reads, transactions: later.transactions - earlier.transactions,
            pages: later.pages - earlier.pages, syncs: later.syncs - earlier.syncs)
    }
}

extension SQLiteCatalogue {
    /// What it has cost since it was opened.
    var costs: CatalogueCosts {
        let pages = pool.writeWithoutTransaction { database in
            var (pages, highest): (Int32, Int32) = (0, 0)
            sqlite3_db_status(database.sqliteConnection, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 0)
            return Int(pages)
        }
        return CatalogueCosts(reads: reads.begun, transactions: queue.committed, pages: pages, syncs: log.done)
    }
}
