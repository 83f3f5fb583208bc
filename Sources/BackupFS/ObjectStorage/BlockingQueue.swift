// Disks block, and a network disk may block for ever. Blocking work runs on a bounded number of threads of its own,
// never on Swift's cooperative pool, and nobody waits for it longer than the deadline.

import Linux
import Synchronization

/// Tells a piece of blocking work when nobody waits for it any more.
final class Expiry: Sendable {
    private let deadline: ContinuousClock.Instant
    private let isAbandoned = Atomic(false)

    init(deadline: ContinuousClock.Instant) {
        self.deadline = deadline
    }

    func abandon() { isAbandoned.store(true, ordering: .releasing) }

    /// Throws `.deadlineExceeded` if the work is to stop.
    func check() throws(ObjectStoreError) {
        guard !isAbandoned.load(ordering: .acquiring) else {
            throw .deadlineExceeded(reason: "the request was given up")
        }
        guard deadline > .now else { throw .deadlineExceeded(reason: "the disk was too slow") }
    }
}

/// Runs blocking work on at most `width` threads; the rest waits in order, each no longer than its deadline.
final class BlockingQueue: Sendable {
    private let threads: BlockingThreads

    init(label: String, width: Int) { threads = BlockingThreads(name: label, width: width) }

    /// The answer of `work`, or `.deadlineExceeded` at the deadline or when the task is cancelled.
    ///
    /// The work may then still run: it asks `Expiry` before each step, and uses no descriptor that is not its own.
    func run<Answer: Sendable>(
        deadline: ContinuousClock.Instant, _ work: @escaping @Sendable (Expiry) throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        let expiry = Expiry(deadline: deadline)
        let answer = OneShot<Result<Answer, ObjectStoreError>>()
        threads.run {
            answer.decide(
                Result { () throws(ObjectStoreError) in
                    try expiry.check()
                    return try work(expiry)
                })
        }
        let outcome = await answer.value(until: deadline) { why in
            expiry.abandon()
            let reason =
                switch why {
                case .deadline: "the disk did not answer"
                case .cancelled: "the request was given up"
                }
            return .failure(.deadlineExceeded(reason: reason))
        }
        return try outcome.get()
    }
}
