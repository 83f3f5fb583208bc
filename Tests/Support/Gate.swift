import Synchronization

/// Holds requests until a test lets them go on, so that a test decides the order of things without sleeping.
package final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrived = 0
        var nextID = 0
        var held: [Int: CheckedContinuation<Bool, Never>] = [:]
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// How many requests have come to the gate so far.
    package var arrived: Int { state.withLock { $0.arrived } }

    /// Waits until at least `count` requests have come to the gate.
    package func reached(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.arrived < count { state.watchers.append((count, continuation)) }
                return state.arrived >= count
            }
            if isThere { continuation.resume() }
        }
    }

    /// Lets go everyone who waits, and everyone who comes later.
    package func open() {
        let held = state.withLock { state in
            defer { state.held = [:] }
            state.isOpen = true
            return state.held.values
        }
        for continuation in held { continuation.resume(returning: true) }
    }

    /// Waits for `open`; false if the deadline came first.
    func pass(deadline: ContinuousClock.Instant) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            let expired = self.state.withLock { $0.held.removeValue(forKey: id) }
            expired?.resume(returning: false)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let (isOpen, isLate, watchers) = state.withLock { state in
                state.arrived += 1
                // The timer may have looked for this request already, and finds it only here.
                let isLate = deadline <= .now
                if !state.isOpen, !isLate { state.held[id] = continuation }
                let arrived = state.arrived
                let reached = state.watchers.filter { $0.count <= arrived }
                state.watchers.removeAll { $0.count <= arrived }
                return (state.isOpen, isLate, reached)
            }
            for watcher in watchers { watcher.continuation.resume() }
            if isOpen {
                continuation.resume(returning: true)
            } else if isLate {
                continuation.resume(returning: false)
            }
        }
    }
}
