// Group commit. Changes from any thread wait in one line; whoever is at the database's writer takes the whole line into
// one transaction, each change in its own savepoint, so that a failing one undoes only itself. While one group is being
// synced the next one gathers: the busier the file system, the fewer syncs a change costs.

import Dispatch
import GRDB
import Synchronization

/// How much a change must survive before its caller goes on.
package enum Durability: Sendable {
    /// A killed process (WAL without a sync); a power loss may undo it.
    case processCrash
    /// A power loss (the WAL is synced before the caller goes on).
    case powerLoss
}

final class CommitQueue: Sendable {
    struct Change: Sendable {
        var durability: Durability
        /// Runs inside the transaction; its outcome is kept and delivered after the commit.
        var apply: @Sendable (Database) throws -> Void
        /// Called exactly once, after the commit or with what prevented it, on the writer's queue.
        var finished: @Sendable ((any Error)?) -> Void
    }

    private struct Line {
        var waiting: [Change] = []
        var isDraining = false
    }

    private let pool: DatabasePool
    /// Guards the line only; never held while anything runs.
    private let line = Mutex(Line())

    init(pool: DatabasePool) { self.pool = pool }

    /// Adds a change to the line; changes are applied in the order of these calls.
    func submit(_ change: Change) {
        let mustStart = line.withLock { line in
            line.waiting.append(change)
            defer { line.isDraining = true }
            return !line.isDraining
        }
        if mustStart { pool.asyncWriteWithoutTransaction { database in self.drain(database) } }
    }

    /// Adds a change and waits on this thread for its commit.
    func submitAndWait(_ durability: Durability, _ apply: @escaping @Sendable (Database) throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let failure = Mutex<(any Error)?>(nil)
        submit(
            Change(durability: durability, apply: apply) { error in
                failure.withLock { $0 = error }
                done.signal()
            })
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func drain(_ database: Database) {
        while true {
            let group = line.withLock { line in
                defer { line.waiting = [] }
                if line.waiting.isEmpty { line.isDraining = false }
                return line.waiting
            }
            if group.isEmpty { return }
            commit(group, in: database)
        }
    }

    private func commit(_ group: [Change], in database: Database) {
        var failures: [(any Error)?] = Array(repeating: nil, count: group.count)
        do {
            let isDurable = group.contains { $0.durability == .powerLoss }
            try database.execute(sql: isDurable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
            try database.inTransaction(.immediate) {
                for (index, change) in group.enumerated() {
                    do {
                        try database.inSavepoint {
                            try change.apply(database)
                            return .commit
                        }
                    } catch {
                        guard database.isInsideTransaction else { throw error }
                        failures[index] = error
                    }
                }
                return .commit
            }
        } catch {
            for change in group { change.finished(error) }
            return
        }
        for (change, failure) in zip(group, failures) { change.finished(failure) }
    }
}
