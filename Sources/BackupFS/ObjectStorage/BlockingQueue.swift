// Disks block, and a network disk may block for ever. Blocking work runs on a bounded number of threads of its own,
// never on Swift's cooperative pool, and nobody waits for it longer than the deadline.

import Dispatch
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
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let width: Int
    private let queue: DispatchQueue
    /// Guards the line of waiting work; held for no call out of this file.
    private let state = Mutex(State())

    init(label: String, width: Int) {
        self.width = width
        queue = DispatchQueue(label: label, attributes: .concurrent)
    }

    /// The answer of `work`, or `.deadlineExceeded` at the deadline or when the task is cancelled.
    ///
    /// The work may then still run: it asks `Expiry` before each step, and uses no descriptor that is not its own.
    func run<Answer: Sendable>(
        deadline: ContinuousClock.Instant, _ work: @escaping @Sendable (Expiry) throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        let expiry = Expiry(deadline: deadline)
        let answer = OneShot<Result<Answer, ObjectStoreError>>()
        enqueue {
            answer.decide(
                Result { () throws(ObjectStoreError) in
                    try expiry.check()
                    return try work(expiry)
                })
        }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            guard !Task.isCancelled else { return }
            expiry.abandon()
            answer.decide(.failure(.deadlineExceeded(reason: "the disk did not answer")))
        }
        defer { timer.cancel() }
        let outcome = await withTaskCancellationHandler {
            await answer.value()
        } onCancel: {
            expiry.abandon()
            answer.decide(.failure(.deadlineExceeded(reason: "the request was given up")))
        }
        return try outcome.get()
    }

    private func enqueue(_ block: @escaping @Sendable () -> Void) {
        let mayStart = state.withLock { state in
            guard state.running < width else {
                state.waiting.append(block)
                return false
            }
            state.running += 1
            return true
        }
        if mayStart { queue.async { [self] in drain(from: block) } }
    }

    private func drain(from first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let block = next {
            block()
            next = state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }
}
