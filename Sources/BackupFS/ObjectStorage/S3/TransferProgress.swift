// One timeout for a whole request would be too short for a large file or too long for a dead server. So time is measured
// from the last byte that moved, either way.

/// How long a request may be without any progress.
struct TransferTimeouts: Sendable {
    /// Until the connection stands, TLS included.
    var connect = Duration.seconds(5)
    /// From the request's last byte to the first one of its answer.
    var firstByte = Duration.seconds(30)
    /// The same on a connection that was kept, which may be dead; more if answers have taken longer (KeptConnections).
    var kept = Duration.seconds(10)
    /// Between two bytes, while a body travels.
    var stall = Duration.seconds(30)

    /// How often to look whether one of them has passed.
    var look: Duration { min(.seconds(1), min(firstByte, stall) / 4) }
}

/// When a request last made progress; a value without a clock.
struct TransferProgress {
    private var lastMove: ContinuousClock.Instant
    /// Bytes of the body that were on their way when last looked at.
    private var sent: Int64 = 0
    /// How long after the last byte of the request the first one of the answer came; nil before that.
    private(set) var answeredAfter: Duration?
    private var isAnswered: Bool { answeredAfter != nil }

    init(now: ContinuousClock.Instant) {
        lastMove = now
    }

    /// Looks at how many bytes of the body were handed to the kernel, which takes little more than it can send.
    mutating func look(sent count: Int64, now: ContinuousClock.Instant) {
        if count > sent { lastMove = now }
        sent = count
    }

    /// It waits for us, not for the server.
    mutating func noteHeldBack(now: ContinuousClock.Instant) {
        lastMove = now
    }

    /// Bytes of the answer came.
    mutating func noteAnswer(now: ContinuousClock.Instant) {
        if answeredAfter == nil { answeredAfter = lastMove.duration(to: now) }
        lastMove = now
    }

    /// Why the request has failed; nil while it may go on.
    ///
    /// `length` is that of its body, in bytes; `patience` the time until its answer begins, if that is not the usual one.
    func failure(
        length: Int64, _ timeouts: TransferTimeouts, patience: Duration? = nil, now: ContinuousClock.Instant
    ) -> ObjectStoreError? {
        let isWaiting = sent >= length && !isAnswered
        let limit = isWaiting ? patience ?? timeouts.firstByte : timeouts.stall
        guard lastMove.duration(to: now) >= limit else { return nil }
        return .unreachable(
            reason: isWaiting ? "no answer within \(limit.seconds) s" : "no byte moved for \(limit.seconds) s")
    }
}

extension Duration {
    /// In seconds, as people write it: `30`, `0.5`.
    fileprivate var seconds: String {
        let milliseconds = milliseconds
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
    }
}
