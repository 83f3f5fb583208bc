// Slow work (uploads, recoveries, removals) reads files and waits for disks. It must not do so on the
// two threads of Swift's cooperative pool, so its tasks prefer this executor: a fixed number of ordinary threads.

/// Runs tasks whose steps may block in a system call for a while.
package final class BlockingExecutor: TaskExecutor {
    /// The one that all slow work shares.
    package static let shared = BlockingExecutor(width: 32)

    private let threads: BlockingThreads

    init(width: Int) { threads = BlockingThreads(name: "blocking", width: width) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        threads.run { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
