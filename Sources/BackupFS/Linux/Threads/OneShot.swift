// What one task waits for and several may decide: an answer, a deadline, a cancellation.

import Synchronization

/// A value that is decided once, by whoever is first, and awaited by one task.
package final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, Never>)
        case decided(Value)
        case done
    }

    /// Guards the state; the continuation is resumed outside.
    private let state = Mutex(State.open)

    package init() {}

    /// Decides the value; false if somebody was faster.
    @discardableResult
    package func decide(_ value: Value) -> Bool {
        let (isFirst, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Value, Never>?) in
            switch state {
            case .open:
                state = .decided(value)
                return (true, nil)
            case .awaited(let continuation):
                state = .done
                return (true, continuation)
            case .decided, .done:
                return (false, nil)
            }
        }
        continuation?.resume(returning: value)
        return isFirst
    }

    /// Whether the value is known by now.
    var isDecided: Bool {
        state.withLock { state in
            switch state {
            case .open, .awaited: false
            case .decided, .done: true
            }
        }
    }

    /// Waits for the value; called once.
    package func value() async -> Value {
        await withCheckedContinuation { continuation in
            let decided = state.withLock { state -> Value? in
                guard case .decided(let value) = state else {
                    state = .awaited(continuation)
                    return nil
                }
                state = .done
                return value
            }
            if let decided { continuation.resume(returning: decided) }
        }
    }
}
