import Testing

@testable import ObjectStorage

@Suite("Knowing that a store is down")
struct CircuitBreakerTests {
    /// A breaker to ask within an expectation.
    private final class Observed {
        private var breaker = CircuitBreaker()
        var outage: ObjectStoreError? { breaker.outage }
        var wait: Duration? { breaker.wait }
        var patience: Duration { breaker.patience }

        @discardableResult
        func note(_ finding: CircuitBreaker.Finding, began: Int) -> CircuitBreaker.Change {
            breaker.note(finding, began: began)
        }

        @discardableResult
        func noteProbe(_ finding: CircuitBreaker.Finding) -> CircuitBreaker.Change { breaker.noteProbe(finding) }
    }

    private static let down = ObjectStoreError.unreachable(reason: "down")

    /// A breaker that has just found an outage.
    private static func opened(_ error: ObjectStoreError = down) -> Observed {
        let breaker = Observed()
        for _ in 1...CircuitBreaker.threshold { breaker.note(.unanswered(error), began: 0) }
        return breaker
    }

    @Test("Five failures in a row are an outage; an answer between them starts the count anew")
    func threshold() {
        let breaker = Observed()
        for _ in 1...4 { #expect(breaker.note(.unanswered(Self.down), began: 0) == .none) }
        #expect(breaker.note(.answered, began: 0) == .none)
        for _ in 1...4 { #expect(breaker.note(.unanswered(Self.down), began: 0) == .none) }
        #expect(breaker.outage == nil)
        #expect(breaker.wait == nil)
        #expect(breaker.note(.unanswered(Self.down), began: 0) == .opened)
        #expect(breaker.outage == Self.down)
    }

    @Test("A probe that is answered, or a request that still is, ends the outage")
    func closing() {
        var breaker = Self.opened()
        #expect(breaker.noteProbe(.unanswered(Self.down)) == .none)
        #expect(breaker.noteProbe(.answered) == .closed)
        #expect(breaker.outage == nil)
        breaker = Self.opened()
        #expect(breaker.note(.answered, began: 0) == .closed)
    }

    @Test("What was sent before the outage was known says nothing about the time after it")
    func stragglers() {
        let breaker = Self.opened()
        breaker.noteProbe(.answered)
        for _ in 1...20 { #expect(breaker.note(.unanswered(Self.down), began: 0) == .none) }
        #expect(breaker.outage == nil)
        for _ in 1...4 { #expect(breaker.note(.unanswered(Self.down), began: 1) == .none) }
        #expect(breaker.note(.unanswered(Self.down), began: 1) == .opened)
    }

    @Test("Probes come seldom while they fail, and stay seldom while only they are answered")
    func backoff() throws {
        let breaker = Self.opened()
        let first = CircuitBreaker.backoff.first
        let longest = CircuitBreaker.backoff.longest
        #expect(try #require(breaker.wait) <= first)
        for _ in 1...10 { breaker.noteProbe(.unanswered(Self.down)) }
        #expect(try #require(breaker.wait) >= longest / 2)
        #expect(try #require(breaker.wait) <= longest)
        breaker.noteProbe(.answered)
        for _ in 1...5 { breaker.note(.unanswered(Self.down), began: 1) }
        #expect(try #require(breaker.wait) >= longest / 2)
        // A request was answered: the next outage is a new one.
        breaker.note(.answered, began: 2)
        for _ in 1...5 { breaker.note(.unanswered(Self.down), began: 2) }
        #expect(try #require(breaker.wait) <= first)
    }

    @Test("One probe in four has the time that a server needs which is well and slow")
    func patience() {
        let breaker = Self.opened()
        var patience: [Duration] = []
        for _ in 1...8 {
            patience.append(breaker.patience)
            breaker.noteProbe(.nothing)
        }
        #expect(patience == [2, 2, 2, 10, 2, 2, 2, 10].map { .seconds($0) })
    }

    @Test("Retry-After keeps probes away, but not for hours")
    func postponement() throws {
        #expect(try #require(Self.opened(.unreachable(reason: "", retryAfter: .seconds(20))).wait) >= .seconds(20))
        #expect(try #require(Self.opened(.unreachable(reason: "", retryAfter: .seconds(86_400))).wait) == .seconds(60))
    }

    @Test("A refusal is an answer; our own failures say nothing; no answer in a second or more is none")
    func findings() {
        let long = Duration.seconds(2)
        for error: ObjectStoreError? in [
            nil, .notFound(key: "a"), .noSuchBucket("b"), .denied(.status(403), message: "m"), .full(message: "m"),
            .rejected(.status(403), message: "m"), .corrupted(key: "a", reason: "r"),
        ] {
            #expect(CircuitBreaker.Finding(error, after: long) == .answered)
        }
        for error: ObjectStoreError in [.contentChanged(key: "a"), .localFile(errno: 5)] {
            #expect(CircuitBreaker.Finding(error, after: long) == .nothing)
        }
        let late = ObjectStoreError.deadlineExceeded(reason: "down")
        #expect(CircuitBreaker.Finding(late, after: long) == .unanswered(Self.down))
        #expect(CircuitBreaker.Finding(late, after: .milliseconds(999)) == .nothing)
        #expect(CircuitBreaker.Finding(Self.down, after: .zero) == .unanswered(Self.down))
    }
}

@Suite("The budget of retries")
struct RetryBudgetTests {
    @Test("A burst is had, then ten a second, and answers bring back a fifth each")
    func budget() {
        let start = ContinuousClock.now
        var budget = RetryBudget(now: start)
        func take(after duration: Duration = .zero) -> Bool { budget.take(now: start + duration) }
        for _ in 1...100 { #expect(take()) }
        #expect(!take())
        #expect(take(after: .milliseconds(101)))
        #expect(!take(after: .milliseconds(101)))
        for _ in 1...5 { budget.noteAnswer() }
        #expect(take(after: .milliseconds(101)))
        #expect(!take(after: .milliseconds(101)))
        // It never holds more than a burst, however long nothing failed, and a clock that steps back costs nothing.
        for _ in 1...100 { #expect(take(after: .seconds(1000))) }
        #expect(!take())
    }
}
