// Where requests wait while their store is known to be down. Nothing of them is sent: they hold no connection and no
// thread. One task asks the store now and then whether it is back, and its first answer lets everybody go on.

import Linux
import Logging
import Synchronization

/// Holds requests back during an outage of their store.
final class OutageGate: Sendable {
    private struct State {
        var breaker = CircuitBreaker()
        var prober: Task<Void, Never>?
        var waiting: [ObjectIdentifier: OneShot<Void>] = [:]
    }

    private let logger: Logger
    private let pause: @Sendable (Duration) async -> Void
    private let probe: @Sendable (Duration) async -> CircuitBreaker.Finding
    private let hold: @Sendable (Bool) -> Void
    /// Guards the breaker and who waits; held for no call out of this file but `hold`, so that its calls come in order.
    private let state = Mutex(State())

    /// `probe` asks the store once, and has no more time than it is told.
    ///
    /// `hold` says whether the store is down: while it is, requests that were let through
    /// before that and not sent yet are to be handed back. It may take locks of its own, and must not call the gate.
    init(
        logger: Logger, pause: @escaping @Sendable (Duration) async -> Void,
        probe: @escaping @Sendable (Duration) async -> CircuitBreaker.Finding, hold: @escaping @Sendable (Bool) -> Void
    ) {
        self.logger = logger
        self.pause = pause
        self.probe = probe
        self.hold = hold
    }

    deinit { state.withLock { $0.prober }?.cancel() }

    /// What is known of the outage that goes on; nil if there is none.
    var outage: ObjectStoreError? { state.withLock { $0.breaker.outage } }

    /// How often the store went down so far.
    var outages: Int { state.withLock { $0.breaker.outages } }

    /// Waits until requests may be sent; returns the count of outages so far.
    ///
    /// Throws what is known of the outage if it lasts until the deadline or the task is cancelled.
    func pass(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        while true {
            let (outage, outages) = state.withLock { ($0.breaker.outage, $0.breaker.outages) }
            guard let outage else { return outages }
            guard deadline > .now, !Task.isCancelled else { throw outage }
            await waitForNews(until: deadline)
        }
    }

    private func waitForNews(until deadline: ContinuousClock.Instant) async {
        let news = OneShot<Void>()
        let mustWait = state.withLock { state in
            guard state.breaker.outage != nil else { return false }
            state.waiting[ObjectIdentifier(news)] = news
            return true
        }
        guard mustWait else { return }
        await news.value(until: deadline) { _ in }
        state.withLock { _ = $0.waiting.removeValue(forKey: ObjectIdentifier(news)) }
    }

    /// Takes in what became of an attempt; `began` is what `pass` returned for it.
    func note(_ finding: CircuitBreaker.Finding, began: Int) {
        settle { $0.note(finding, began: began) }
    }

    private func settle(_ take: (inout CircuitBreaker) -> CircuitBreaker.Change) {
        let (change, outage) = state.withLock { state in
            let change = take(&state.breaker)
            if change != .none { hold(change == .opened) }
            return (change, state.breaker.outage)
        }
        switch change {
        case .none: return
        case .opened:
            logger.warning(
                "backup storage does not answer: requests wait until it does",
                metadata: ["error": "\(outage.map { "\($0)" } ?? "")"])
            startProbing()
        case .closed:
            logger.notice("backup storage answers again")
            let waiting = state.withLock { state in
                defer { state.waiting = [:] }
                return state.waiting.values
            }
            for news in waiting { news.decide(()) }
        }
    }

    /// One task probes at a time: one that is still in its wait when the store goes down again goes on.
    private func startProbing() {
        state.withLock { state in
            guard state.prober == nil, state.breaker.outage != nil else { return }
            // It does not hold the gate, so that a store that nobody uses any more is not probed for ever.
            state.prober = Task { [weak self, pause, probe] in
                while let (wait, patience) = self?.nextProbe() {
                    await pause(wait)
                    guard !Task.isCancelled, self?.isDown == true else { continue }
                    let finding = await probe(patience)
                    self?.noteProbe(finding)
                }
            }
        }
    }

    private var isDown: Bool { state.withLock { $0.breaker.outage != nil } }

    private func nextProbe() -> (wait: Duration, patience: Duration)? {
        state.withLock { state in
            guard !Task.isCancelled, let wait = state.breaker.wait else {
                state.prober = nil
                return nil
            }
            return (wait, state.breaker.patience)
        }
    }

    private func noteProbe(_ finding: CircuitBreaker.Finding) {
        settle { $0.noteProbe(finding) }
    }
}
