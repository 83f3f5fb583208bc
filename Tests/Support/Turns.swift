import Synchronization

/// Says whose request goes next, so that a test goes through all orders of several owners' requests.
package final class Turns: Sendable {
    private struct State {
        var schedule: [Int]
        var retired: Set<Int> = []
        var isBusy = false
        var waiting: [(owner: Int, continuation: CheckedContinuation<Void, Never>)] = []
        /// Whose requests went, in their order.
        var taken: [Int] = []
    }

    private let state: Mutex<State>

    /// Each entry is one request of the owner with that number; when they are used up, everybody goes as he comes.
    package init(_ schedule: [Int]) { state = Mutex(State(schedule: schedule)) }

    /// Whose requests went, in their order.
    package var taken: [Int] { state.withLock { $0.taken } }

    /// Waits for the owner's turn; `done` must follow.
    func take(_ owner: Int) async {
        await withCheckedContinuation { continuation in
            let next = state.withLock { state in
                state.waiting.append((owner, continuation))
                return Self.next(&state)
            }
            next?.resume()
        }
    }

    /// A request has ended.
    func done() {
        let next = state.withLock { state in
            state.isBusy = false
            return Self.next(&state)
        }
        next?.resume()
    }

    /// The owner has no more requests: nobody waits for his turns.
    package func retire(_ owner: Int) {
        let next = state.withLock { state in
            state.retired.insert(owner)
            return Self.next(&state)
        }
        next?.resume()
    }

    private static func next(_ state: inout State) -> CheckedContinuation<Void, Never>? {
        guard !state.isBusy else { return nil }
        while let owner = state.schedule.first, state.retired.contains(owner) { state.schedule.removeFirst() }
        let scheduled = state.schedule.first
        guard let place = state.waiting.firstIndex(where: { scheduled == nil || $0.owner == scheduled }) else {
            return nil
        }
        let (owner, continuation) = state.waiting.remove(at: place)
        if !state.schedule.isEmpty { state.schedule.removeFirst() }
        state.isBusy = true
        state.taken.append(owner)
        return continuation
    }
}
