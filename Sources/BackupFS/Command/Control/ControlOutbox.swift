import Synchronization

/// Answers on their way from the task that finds them to the thread that sends them.
final class ControlOutbox: Sendable {
    /// Readable while there is something to take.
    let ready: WakeEvent
    /// Guards the answers that were put and not taken yet; taken alone.
    private let answers = Mutex<[ControlAnswer]>([])

    init() throws(SystemError) {
        ready = try WakeEvent()
    }

    /// Adds an answer; a progress line that was not taken yet is replaced by a newer one.
    func put(_ answer: ControlAnswer) {
        answers.withLock { answers in
            if case .progress = answer, case .progress = answers.last { answers.removeLast() }
            answers.append(answer)
        }
        ready.signal()
    }

    /// Takes all answers out, in order.
    func take() -> [ControlAnswer] {
        ready.clear()
        return answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }
}
