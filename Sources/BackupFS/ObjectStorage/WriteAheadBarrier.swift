// A record must be on the disk before the thing that it records exists anywhere; else a power cut leaves a thing that
// nobody knows. Waiting for the disk first would add its time to every upload, so stores send bytes meanwhile and hold back
// only what makes the object appear: the last byte, the rename, the completion.

import Dispatch
import Synchronization

/// What must be durable before an object may appear.
package final class WriteAheadBarrier: Sendable {
    private struct State {
        /// Whether the record is durable; nil as long as that is open.
        var outcome: Bool?
        var waiting: [@Sendable () -> Void] = []
    }

    /// How often a thread that waits looks whether anybody still wants the object.
    private static let look = DispatchTimeInterval.milliseconds(100)

    /// Guards the outcome; actions are called outside.
    private let state = Mutex(State())

    package init() {}

    /// The record is durable, or never will be; what was decided first stays.
    package func decide(isDurable: Bool) {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.outcome = state.outcome ?? isDurable
            return state.waiting
        }
        for action in waiting { action() }
    }

    /// Whether the record is durable; nil as long as that is open.
    var outcome: Bool? { state.withLock { $0.outcome } }

    /// Calls `action` once the barrier is decided, at once if it is.
    func whenDecided(_ action: @escaping @Sendable () -> Void) {
        let isDecided = state.withLock { state in
            if state.outcome == nil { state.waiting.append(action) }
            return state.outcome != nil
        }
        if isDecided { action() }
    }

    /// Waits until it is decided; throws `.localFile` with EIO if the record could not be made durable.
    package func pass() async throws(ObjectStoreError) {
        await withCheckedContinuation { continuation in whenDecided { continuation.resume() } }
        try check()
    }

    /// The same on a thread that may block, until nobody wants the work any more.
    func pass(_ expiry: Expiry) throws(ObjectStoreError) {
        let decided = DispatchSemaphore(value: 0)
        whenDecided { decided.signal() }
        while decided.wait(timeout: .now() + Self.look) == .timedOut { try expiry.check() }
        try check()
    }

    private func check() throws(ObjectStoreError) {
        guard outcome == true else { throw .localFile(errno: 5) }
    }
}
