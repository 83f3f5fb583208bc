// Slow work of the file system (uploads, recoveries, removals) reads files and waits for disks. It must not do so on the
// two threads of Swift's cooperative pool, so its tasks prefer this executor: a fixed number of ordinary threads.

import Dispatch
import Synchronization

/// Runs tasks whose steps may block in a system call for a while.
package final class BlockingExecutor: TaskExecutor {
    /// The one that all of the file system's slow work shares.
    package static let shared = BlockingExecutor(width: 16)

    private let slots: BlockingSlots

    init(width: Int) {
        slots = BlockingSlots(
            width: width, queue: DispatchQueue(label: "backupfs.blocking", attributes: .concurrent))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        slots.run { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Lets at most `width` blocks run at once; the rest wait in order.
private final class BlockingSlots: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let width: Int
    private let queue: DispatchQueue
    private let state = Mutex(State())

    init(width: Int, queue: DispatchQueue) {
        self.width = width
        self.queue = queue
    }

    func run(_ block: @escaping @Sendable () -> Void) {
        let mayStart = state.withLock { state in
            if state.running < width {
                state.running += 1
                return true
            }
            state.waiting.append(block)
            return false
        }
        if mayStart { queue.async { self.work(block) } }
    }

    private func work(_ first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let block = next {
            block()
            next = state.withLock { state in
                if state.waiting.isEmpty {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }
}
