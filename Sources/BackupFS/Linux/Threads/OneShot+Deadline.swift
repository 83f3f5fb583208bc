// Every wait that may last too long, done once: a value, a timer, and the task's cancellation, whichever is first.

/// Why somebody stopped to wait.
package enum GivenUp: Sendable {
    case deadline
    case cancelled
}

extension OneShot {
    /// Waits for the value until `deadline` or, if the wait `heedsCancellation`, until the task is cancelled.
    ///
    /// `late` then decides it: nobody else can any more. A value that is there already is returned even after the
    /// deadline. Called once, instead of `value`.
    package func value(
        until deadline: ContinuousClock.Instant, heedsCancellation: Bool = true,
        late: @escaping @Sendable (GivenUp) -> Value
    ) async -> Value {
        if isDecided { return await value() }
        guard deadline > .now else {
            decide(late(.deadline))
            return await value()
        }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            if !Task.isCancelled { decide(late(.deadline)) }
        }
        defer { timer.cancel() }
        guard heedsCancellation else { return await value() }
        return await withTaskCancellationHandler {
            await value()
        } onCancel: {
            decide(late(.cancelled))
        }
    }
}
