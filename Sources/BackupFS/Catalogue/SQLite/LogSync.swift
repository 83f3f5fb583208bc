// Makes the log durable beside the writer. SQLite writes each commit to its log (catalogue.sqlite-wal) and, with
// `synchronous=NORMAL`, leaves it in the kernel's cache; whoever needs more waits here. One fdatasync serves everybody who
// came before it began, and the writer goes on meanwhile.
//
// The log is a prefix of what was committed: what is synced makes everything that was committed before it durable.
// Source: https://www.sqlite.org/walformat.html (frames carry running checksums; recovery stops at the first that fails).

import Dispatch
import Glibc
import Linux
import Synchronization

/// Syncs the log of one catalogue, for any number of waiters at a time.
final class LogSync: Sendable {
    /// Called once: nil, or why the log is not known to be on the disk.
    typealias Finished = @Sendable (CatalogueError?) -> Void

    private struct State {
        var waiting: [Finished] = []
        var isRunning = false
        /// The log's descriptor; -1 as long as there is no log.
        var descriptor: Int32 = -1
        /// errno of a sync that failed: nothing that was written before it can be vouched for any more.
        var failure: Int32?
        /// Something was committed since the last sync began.
        var isStale = false
        /// A look at `isStale` is due.
        var isWatched = false
        /// Somebody waits for the next one.
        var isAwaited = false
        /// Syncs that somebody waited for, and that did not fail.
        var done = 0
    }

    /// How long a commit that nobody waits for may be in the kernel's cache only (I5).
    private static let patience = DispatchTimeInterval.milliseconds(900)

    /// The catalogue's directory; the caller's.
    private let directory: Int32
    private let log: String
    /// fdatasync(2), or what a test puts in its place.
    private let sync: @Sendable (Int32) -> Int32
    private let queue = DispatchQueue(label: "backupfs.log-sync")
    /// Held for no system call.
    private let state = Mutex(State())

    init(directory: Int32, log: String, sync: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }) {
        self.directory = directory
        self.log = log
        self.sync = sync
        // From the beginning: an error that comes before is told to who has it open.
        let descriptor = openat(directory, log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        state.withLock { $0.descriptor = descriptor }
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { close(descriptor) }
    }

    /// How often the log was synced for somebody who waited.
    var done: Int { state.withLock { $0.done } }

    /// Calls `finished` when all that has been committed so far is on the disk.
    func whenDone(_ finished: @escaping Finished) { enqueue(finished, isAwaited: true) }

    private func enqueue(_ finished: @escaping Finished, isAwaited: Bool) {
        let mustStart = state.withLock { state in
            state.waiting.append(finished)
            if isAwaited { state.isAwaited = true }
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { queue.async { self.drain() } }
    }

    /// Something was committed: it is on the disk within a second, though nobody waits for it.
    func becomesDurableSoon() {
        let mustWatch = state.withLock { state in
            state.isStale = true
            defer { state.isWatched = true }
            return !state.isWatched
        }
        guard mustWatch else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) { [weak self] in self?.look() }
    }

    private func look() {
        let isStale = state.withLock { state in
            state.isWatched = false
            return state.isStale
        }
        // Whoever waits for the disk next is told what went wrong.
        if isStale { enqueue({ _ in }, isAwaited: false) }
    }

    private func drain() {
        while true {
            let (group, known, earlier, isAwaited) = state.withLock { state in
                defer { (state.waiting, state.isAwaited) = ([], false) }
                if state.waiting.isEmpty { state.isRunning = false } else { state.isStale = false }
                return (state.waiting, state.descriptor, state.failure, state.isAwaited)
            }
            if group.isEmpty { return }
            // A second sync after one that failed would succeed and prove nothing (I13).
            let failure = earlier ?? syncLog(known)
            state.withLock { state in
                if let failure { state.failure = failure } else if isAwaited { state.done += 1 }
            }
            let error = failure.map { code in
                CatalogueError.database(
                    message: "the log could not be written to the disk (\(errnoText(code))): "
                        + "see to the disk, unmount, and mount again")
            }
            for finished in group { finished(error) }
        }
    }

    /// Returns errno if it failed.
    private func syncLog(_ known: Int32) -> Int32? {
        var descriptor = known
        if descriptor < 0 {
            descriptor = openat(directory, log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { return errno }
            state.withLock { $0.descriptor = descriptor }
        }
        return sync(descriptor) == 0 ? nil : errno
    }
}
