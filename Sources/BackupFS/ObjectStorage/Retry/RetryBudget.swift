/// How many retries a store may still have, all requests together: with a server that fails many of them, retries must
/// not be what keeps it down.
///
/// A value without a clock. A request that finds no token waits for one; its deadline goes on.
struct RetryBudget {
    /// Retries in a burst.
    static let capacity = 100.0
    /// Tokens that come back each second by themselves.
    static let perSecond = 10.0
    /// Tokens that each answered request brings back: with one retry in six requests the budget lasts.
    static let perAnswer = 0.2

    private var tokens = capacity
    private var filled: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) {
        filled = now
    }

    /// Takes the token that one retry costs; false if there is none.
    mutating func take(now: ContinuousClock.Instant) -> Bool {
        let passed = max(.zero, filled.duration(to: now))
        tokens = min(Self.capacity, tokens + passed / .seconds(1) * Self.perSecond)
        filled = max(filled, now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// The store has answered a request.
    mutating func noteAnswer() {
        tokens = min(Self.capacity, tokens + Self.perAnswer)
    }
}
