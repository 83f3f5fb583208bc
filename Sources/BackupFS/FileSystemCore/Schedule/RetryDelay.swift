// How long what failed waits for its next attempt.

import Catalogue

/// Delays between attempts of the background, all with jitter.
enum RetryDelay {
    /// With the store down: how long to leave it alone between two requests, in seconds.
    static let outagePause = 0.5...2.0
    /// The longest that anything waits for its next attempt: an hour, in nanoseconds.
    static let longest: Nanoseconds = 3600 * 1_000_000_000

    /// Full-jitter exponential backoff, 0.5 s to 15 s, in nanoseconds.
    static func next(attempts: Int) -> Nanoseconds {
        let ceiling = min(15.0, 0.5 * Double(1 << min(attempts, 6)))
        return Nanoseconds(Double.random(in: ceiling / 2...ceiling) * 1e9)
    }

    /// What the store refused, it will refuse in a second, too: a minute, and up to an hour, in nanoseconds.
    static func afterRefusal(attempts: Int) -> Nanoseconds {
        let ceiling = min(longest, 120_000_000_000 << Nanoseconds(min(attempts, 6)))
        return Nanoseconds.random(in: ceiling / 2...ceiling)
    }
}
