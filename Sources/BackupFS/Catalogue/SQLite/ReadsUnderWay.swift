// GRDB hands a read that comes while a pool is closed a connection that is closed already, and SQLite then reads through
// a null pointer. So reads are counted, and the pool is closed only when there are none and can be no more.

import Dispatch
import Synchronization

/// The reads that are under way, and whether there may be more.
final class ReadsUnderWay: Sendable {
    private struct State {
        var count = 0
        var begun = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let lastEnded = DispatchSemaphore(value: 0)

    /// Counts a read; false if there may be none any more.
    ///
    /// `end` must follow a true.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.count += 1
            state.begun += 1
            return true
        }
    }

    /// How many there were.
    var begun: Int { state.withLock { $0.begun } }

    /// A read is done.
    func end() {
        let isLast = state.withLock { state in
            state.count -= 1
            return state.isClosed && state.count == 0
        }
        if isLast { lastEnded.signal() }
    }

    /// Allows no more reads, and waits on this thread for those under way; later calls return at once.
    func close() {
        let mustWait = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed && state.count > 0
        }
        if mustWait { lastEnded.wait() }
    }
}
