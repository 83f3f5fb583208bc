// Group commit. Changes from any thread wait in one line; whoever is at the database's writer takes the whole line into
// one transaction, each change in its own savepoint, so that a failing one undoes only itself. While one group is being
// synced (LogSync) the next ones are written: the busier the file system, the fewer syncs a change costs.

import Dispatch
import GRDB
import Synchronization

final class CommitQueue: Sendable {
    struct Change: Sendable {
        var durability: Durability
        /// Runs inside the transaction; its outcome is kept and delivered after the commit.
        var apply: @Sendable (Database) throws -> Void
        /// Called exactly once, after the commit or with what prevented it, on a queue of the catalogue's.
        var finished: @Sendable ((any Error)?) -> Void
    }

    /// How long a patient change waits for another one to be committed with.
    private static let patience = DispatchTimeInterval.milliseconds(50)

    private struct Line {
        var waiting: [Change] = []
        var isDraining = false
        /// Somebody will look after the patient ones.
        var isWatched = false
        /// Transactions.
        var committed = 0
    }

    private let pool: DatabasePool
    private let log: LogSync
    private let memory: CatalogueMemory
    /// Guards the line only; never held while anything runs.
    private let line = Mutex(Line())

    init(pool: DatabasePool, log: LogSync, memory: CatalogueMemory) {
        self.pool = pool
        self.log = log
        self.memory = memory
    }

    /// How many transactions were committed.
    var committed: Int { line.withLock { $0.committed } }

    /// Adds a change to the line; changes are applied in the order of these calls.
    func submit(_ change: Change) {
        if append(change) { pool.asyncWriteWithoutTransaction { database in self.drain(database) } }
    }

    /// Returns whether the caller has to see to it that the line is drained.
    private func append(_ change: Change) -> Bool {
        line.withLock { line in
            line.waiting.append(change)
            defer { line.isDraining = true }
            return !line.isDraining
        }
    }

    /// Adds a change that nobody waits for: it is committed with the next one, or a little later by itself.
    func submitPatiently(_ change: Change) {
        let mustWatch = line.withLock { line in
            line.waiting.append(change)
            defer { line.isWatched = true }
            return !line.isDraining && !line.isWatched
        }
        guard mustWatch else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) { [self] in
            let mustStart = line.withLock { line in
                line.isWatched = false
                guard !line.waiting.isEmpty, !line.isDraining else { return false }
                line.isDraining = true
                return true
            }
            if mustStart { pool.asyncWriteWithoutTransaction { database in self.drain(database) } }
        }
    }

    /// Adds a change and waits on this thread for its commit.
    func submitAndWait(_ durability: Durability, _ apply: @escaping @Sendable (Database) throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let failure = Mutex<(any Error)?>(nil)
        let change = Change(durability: durability, apply: apply) { error in
            failure.withLock { $0 = error }
            done.signal()
        }
        // With nobody at the writer this thread does it: to wake another one, and be woken, takes longer than most changes.
        if append(change) { pool.writeWithoutTransaction { database in drainOnce(database) } }
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func drain(_ database: Database) {
        while true {
            let group = takeAll()
            if group.isEmpty { return }
            commit(group, in: database)
        }
    }

    /// Commits what is in the line now; what comes meanwhile is another thread's.
    private func drainOnce(_ database: Database) {
        commit(takeAll(), in: database)
        let isDone = line.withLock { line in
            if line.waiting.isEmpty { line.isDraining = false }
            return line.waiting.isEmpty
        }
        if !isDone { pool.asyncWriteWithoutTransaction { database in self.drain(database) } }
    }

    private func takeAll() -> [Change] {
        line.withLock { line in
            defer { line.waiting = [] }
            if line.waiting.isEmpty { line.isDraining = false }
            return line.waiting
        }
    }

    private func commit(_ group: [Change], in database: Database) {
        var failures: [(any Error)?] = Array(repeating: nil, count: group.count)
        do {
            try database.inTransaction(.immediate) {
                if group.count == 1 {
                    try group[0].apply(database)
                    return .commit
                }
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
            memory.transactionEnded()
            for change in group { change.finished(error) }
            return
        }
        memory.transactionEnded()
        line.withLock { $0.committed += 1 }
        log.becomesDurableSoon()
        for (change, failure) in zip(group, failures) {
            if failure == nil, change.durability == .powerLoss {
                log.whenDone(change.finished)
            } else {
                change.finished(failure)
            }
        }
    }
}
