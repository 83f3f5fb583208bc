// When a store is down, every request finds out by itself, again and again, and a thousand closes do so at once. So what
// one request learns holds for all: after a few failures in a row nothing is sent but a probe, one at a time, until
// one is answered.

/// Knows whether a store is down; decides, and does nothing.
struct CircuitBreaker {
    /// What an attempt says about the store.
    enum Finding: Equatable {
        /// It answered, be it a refusal.
        case answered
        /// It did not answer, or said "later".
        case unanswered(ObjectStoreError)
        /// Nothing.
        case nothing
    }

    /// What a finding changes.
    enum Change: Equatable {
        case none
        /// The store is down: requests wait, and probing begins.
        case opened
        /// The store is back: everybody goes on.
        case closed
    }

    /// Failures in a row that prove an outage: more than a lost connection costs, fewer than the transfers at a time.
    static let threshold = 5
    /// The longest time that a server's "later" can keep probes away: a wrong one must not cost hours.
    static let longestPostponement = Duration.seconds(60)
    static let backoff = Backoff(first: .milliseconds(200), longest: .seconds(2))

    /// What was found last while the store is down; nil while requests may be sent.
    private(set) var outage: ObjectStoreError?
    /// How often the store went down: tells an attempt that began before from one that began after.
    private(set) var outages = 0
    private var failures = 0
    /// Probes that failed, and outages that came back before any request was answered.
    private var setbacks = 0

    /// Takes in what became of an attempt; `began` is the count of outages when it was let through.
    mutating func note(_ finding: Finding, began: Int) -> Change {
        switch finding {
        case .nothing: return .none
        case .answered:
            failures = 0
            setbacks = 0
            guard outage != nil else { return .none }
            outage = nil
            return .closed
        case .unanswered(let error):
            // What was sent before the last outage says nothing about the time after it.
            guard began == outages else { return .none }
            if outage != nil {
                outage = error
                return .none
            }
            failures += 1
            guard failures >= Self.threshold else { return .none }
            outage = error
            outages += 1
            setbacks += 1
            return .opened
        }
    }

    /// Takes in what became of a probe.
    ///
    /// The waits between probes shrink only after a request: a server may answer probes and nothing else.
    mutating func noteProbe(_ finding: Finding) -> Change {
        guard outage != nil else { return .none }
        switch finding {
        case .answered:
            failures = 0
            outage = nil
            return .closed
        case .unanswered(let error):
            outage = error
            setbacks += 1
            return .none
        case .nothing:
            setbacks += 1
            return .none
        }
    }

    /// How long the next probe may take.
    ///
    /// A probe that hung when the server came back must not keep others waiting; but one in four is for a server that is
    /// well and slow to list.
    var patience: Duration { setbacks % 4 == 0 ? .seconds(10) : .seconds(2) }

    /// The time until the next probe; nil if the store is not down.
    var wait: Duration? {
        guard let outage else { return nil }
        let ceiling = Self.backoff.ceiling(afterFailures: max(1, setbacks))
        return max(ceiling * Double.random(in: 0.5...1), min(Self.longestPostponement, outage.retryAfter ?? .zero))
    }
}

extension CircuitBreaker.Finding {
    /// What an attempt that ended with `error` (nil: well) after `duration` says about the store.
    init(_ error: ObjectStoreError?, after duration: Duration) {
        switch error {
        case .unreachable(let reason, let retryAfter):
            self = .unanswered(.unreachable(reason: reason, retryAfter: retryAfter))
        // A server that hangs looks like this to requests with little time. One that is only slow answers the first probe.
        case .deadlineExceeded(let reason) where duration >= .seconds(1):
            self = .unanswered(.unreachable(reason: reason))
        case .deadlineExceeded, .contentChanged, .localFile: self = .nothing
        case nil, .notFound, .noSuchBucket, .denied, .full, .corrupted, .rejected: self = .answered
        }
    }
}
