// Threads for work that blocks in system calls. Not a dispatch queue: those share their threads with Swift's cooperative
// pool, and when enough of them block, timers and deadlines stop with them.

import Foundation
import Synchronization

/// Runs blocks on at most `width` threads of its own, in order; the threads are made when they are needed, and end after ten idle seconds.
package final class BlockingThreads: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var head = 0
        var threads = 0
        var idle = 0
    }

    private let name: String
    private let width: Int
    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)

    package init(name: String, width: Int) {
        self.name = name
        self.width = width
    }

    /// Runs `block` when a thread is free.
    package func run(_ block: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            state.waiting.append(block)
            if state.idle >= state.waiting.count - state.head || state.threads == width { return false }
            state.threads += 1
            return true
        }
        work.signal()
        guard needsThread else { return }
        let thread = Thread { [self] in serve() }
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            while work.wait(timeout: .now() + 10) == .timedOut {
                let mayEnd = state.withLock { state in
                    guard state.head == state.waiting.count else { return false }
                    state.threads -= 1
                    state.idle -= 1
                    return true
                }
                if mayEnd { return }
            }
            let block = state.withLock { state in
                state.idle -= 1
                let block = state.waiting[state.head]
                state.head += 1
                if state.head == state.waiting.count {
                    state.waiting.removeAll(keepingCapacity: state.waiting.count < 1024)
                    state.head = 0
                }
                return block
            }
            block()
        }
    }
}
