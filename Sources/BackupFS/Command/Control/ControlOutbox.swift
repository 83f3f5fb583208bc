import Linux
import Synchronization

/// Answers on their way from the task that finds them to the thread that sends them.
final class ControlOutbox: Sendable {
    private struct State {
        /// Put and not taken yet.
        var answers: [ControlAnswer] = []
        /// Who goes on when they are taken.
        var waiting: [CheckedContinuation<Void, any Error>] = []
        var isClosed = false
    }

    /// Readable while there is something to take.
    let ready: WakeEvent
    /// Guards what is on its way; taken alone.
    private let state = Mutex(State())

    init() throws(SystemError) {
        ready = try WakeEvent()
    }

    /// Adds an answer; a progress line that was not taken yet is replaced by a newer one.
    func put(_ answer: ControlAnswer) {
        state.withLock { state in
            if case .progress = answer, case .progress = state.answers.last { state.answers.removeLast() }
            state.answers.append(answer)
        }
        ready.signal()
    }

    /// Adds a page of a list, and returns when it is taken: a list is not read faster than the client takes it.
    ///
    /// Throws a `CancellationError` if nobody will take it.
    func putPage(_ answers: [ControlAnswer]) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let isClosed = state.withLock { state in
                if !state.isClosed {
                    state.answers += answers
                    state.waiting.append(continuation)
                }
                return state.isClosed
            }
            if isClosed { continuation.resume(throwing: CancellationError()) } else { ready.signal() }
        }
    }

    /// Takes all answers out, in order.
    func take() -> [ControlAnswer] {
        ready.clear()
        let (answers, waiting) = state.withLock { state in
            defer { (state.answers, state.waiting) = ([], []) }
            return (state.answers, state.waiting)
        }
        for one in waiting { one.resume() }
        return answers
    }

    /// Nobody takes anything any more.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.resume(throwing: CancellationError()) }
    }
}
