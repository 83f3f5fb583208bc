import Foundation

/// Threads of their own for tests that mount.
///
/// These tests block in system calls; on Swift's own threads they would hold up every other test. A few run at a time.
final class MountThreads: TaskExecutor {
    static let shared = MountThreads()
    private let queue = OperationQueue()

    private init() { queue.maxConcurrentOperationCount = 4 }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.addOperation { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
