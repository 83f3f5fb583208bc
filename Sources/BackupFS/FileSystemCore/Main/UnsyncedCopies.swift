// What was just uploaded or recovered is in main, and nobody waits for the disk: backup has it. After a power cut it may be torn
// all the same, with the right length and time. So its row does not describe it before main was synced; until then only
// memory knows that it is good.
//
// A sync of main that fails does not say what it could not write, and the next one says nothing of it at all (I13). So each copy
// that waited for it is doubted until a sync of its own has decided.

import Catalogue
import Glibc
import Synchronization

/// The main copies that are right, and may not be on the disk yet.
final class UnsyncedCopies: Sendable {
    private struct State {
        var good: [ResourceID: UnsyncedCopy] = [:]
        var doubted: [ResourceID: UnsyncedCopy] = [:]
        /// When the first of `good` came.
        var since: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Its row says that main has it, with `MainCopy.unsynced`.
    func note(_ copy: UnsyncedCopy) {
        state.withLock { state in
            state.good[copy.id] = copy
            state.since = state.since ?? .now
            state.doubted[copy.id] = nil
        }
    }

    /// All that nobody doubts.
    var all: [UnsyncedCopy] { state.withLock { Array($0.good.values) } }

    /// Whether one has waited for a sync for that long.
    func haveWaited(_ patience: Duration) -> Bool {
        state.withLock { $0.since.map { ContinuousClock.now - $0 >= patience } ?? false }
    }

    /// All that a failed sync may not have written.
    var doubted: [UnsyncedCopy] { state.withLock { Array($0.doubted.values) } }

    /// Rows vouch for them, or never will; one that came since stays.
    func settle(_ settled: [UnsyncedCopy]) {
        state.withLock { state in
            for copy in settled {
                if state.good[copy.id] == copy { state.good[copy.id] = nil }
                if state.doubted[copy.id] == copy { state.doubted[copy.id] = nil }
            }
            state.since = state.good.isEmpty ? nil : .now
        }
    }

    /// The disk has failed: what it holds of them nobody knows.
    func doubt() {
        state.withLock { state in
            state.doubted.merge(state.good) { _, new in new }
            (state.good, state.since) = ([:], nil)
        }
    }

    /// Whether a file in main is one of them, and nobody has changed it since.
    func isKnown(_ row: Resource, _ status: stat) -> Bool {
        guard row.isUnsynced(status), let known = state.withLock({ $0.good[row.id] }) else { return false }
        let seen = MainCopy(status)
        return seen.inode == known.copy.inode && seen.size == known.copy.size && seen.size == row.size
            && (seen.modified == known.copy.modified || seen.modified == row.modified)
    }

    /// Whether a file in main is one that the disk may not hold, whatever the page cache has.
    func isDoubted(_ row: Resource, _ status: stat) -> Bool {
        guard row.isUnsynced(status), let known = state.withLock({ $0.doubted[row.id] }) else { return false }
        return UInt64(status.st_ino) == known.copy.inode
    }
}
