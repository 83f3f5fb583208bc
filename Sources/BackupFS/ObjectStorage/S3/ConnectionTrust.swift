// A connection that was kept can have died without a word: a NAT or VPN forgot it, a server failed over. Then all that are as old
// are suspects. A request that fails in silence is therefore followed by requests on new connections.

import Linux

/// Which kept connections a request may use.
enum ConnectionTrust: Equatable {
    /// Any.
    case any
    /// None: it makes a new one.
    case none
    /// Those that were made so many seconds ago, or later.
    case youngerThan(seconds: Int)
}

/// What is known of the connections that are kept; a value without a clock.
struct KeptConnections {
    /// libcurl knows the age of a connection in whole seconds.
    private static let resolution = Duration.seconds(3)
    /// Nothing that was made before the last silence is left.
    private static let memory = Duration.seconds(600)

    /// When the last request failed without an answer.
    private var silence: ContinuousClock.Instant?
    /// How long the slowest of the last answers took to begin.
    private var slowest = Duration.zero

    /// A request failed, and its server said nothing.
    mutating func fellSilent(now: ContinuousClock.Instant) { silence = now }

    /// An answer began so long after its request's last byte.
    mutating func answered(after time: Duration) { slowest = max(time, slowest * 15 / 16) }

    /// What a request that starts now may use.
    func trust(now: ContinuousClock.Instant) -> ConnectionTrust {
        guard let silence else { return .any }
        let age = silence.duration(to: now)
        if age >= Self.memory { return .any }
        return age < Self.resolution ? .none : .youngerThan(seconds: Int(age.components.seconds) - 1)
    }

    /// How long a request on a kept connection waits for its answer to begin: less than one on a new connection, unless the
    /// server is known to be slow.
    func patience(_ timeouts: TransferTimeouts) -> Duration {
        min(timeouts.firstByte, max(timeouts.kept, slowest * 8))
    }
}
