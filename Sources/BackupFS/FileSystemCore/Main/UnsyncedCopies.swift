// What was recovered is served at once: it was compared as it came, and nobody waits for the disk. After a power cut it may
// be torn all the same, with the right length and time. So its row does not describe it before main was synced; until then
// only memory knows that it is good.

import Catalogue
import Glibc
import Synchronization

/// The main copies that are right, and may not be on the disk yet.
final class UnsyncedCopies: Sendable {
    private let copies = Mutex<[ResourceID: UnsyncedCopy]>([:])

    /// Its row says that main has it, with `MainCopy.unsynced`.
    func note(_ copy: UnsyncedCopy) { copies.withLock { $0[copy.id] = copy } }

    /// All of them.
    var all: [UnsyncedCopy] { copies.withLock { Array($0.values) } }

    /// Rows vouch for them, or never will; one that came since stays.
    func settle(_ settled: [UnsyncedCopy]) {
        copies.withLock { copies in
            for copy in settled where copies[copy.id] == copy { copies[copy.id] = nil }
        }
    }

    /// The disk has failed: what it holds of them nobody knows.
    func forget() { copies.withLock { $0 = [:] } }

    /// Whether a file in main is one of them, and nobody has changed it since.
    func isKnown(_ row: Resource, _ status: stat) -> Bool {
        guard row.isUnsynced(status), let known = copies.withLock({ $0[row.id] }) else { return false }
        let seen = MainCopy(status)
        return seen.inode == known.copy.inode && seen.size == known.copy.size && seen.size == row.size
            && (seen.modified == known.copy.modified || seen.modified == row.modified)
    }
}
