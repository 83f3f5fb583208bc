/// How long to wait before the next attempt: exponential with full jitter, so that many clients spread out.
package struct Backoff: Sendable {
    /// The longest first wait.
    package var first: Duration
    /// The longest of all waits.
    package var longest: Duration

    package init(first: Duration = .milliseconds(50), longest: Duration = .seconds(2)) {
        self.first = first
        self.longest = longest
    }

    /// The longest wait after the given number of failures, at least 1.
    package func ceiling(afterFailures count: Int) -> Duration {
        min(longest, first * (1 << min(20, count - 1)))
    }

    /// A wait after the given number of failures, at least 1.
    func wait(afterFailures count: Int) -> Duration {
        ceiling(afterFailures: count) * Double.random(in: 0...1)
    }
}
