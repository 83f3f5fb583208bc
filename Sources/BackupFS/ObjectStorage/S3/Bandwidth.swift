// A limit on what all transfers move together, in both directions. Bytes are handed out in small grants, so that who asks
// next gets some soon: small objects first, but every fourth grant is for a part of a large one, which would starve
// otherwise. A transfer without a grant is paused in libcurl.

/// Hands out the right to move bytes, at a rate; a value without a clock.
struct Bandwidth {
    /// One that asks in vain waits for so many others at most, if it is a part of a large object.
    private static let smallGrantsInARow = 3

    /// Bytes a second.
    private let rate: Double
    /// Bytes handed out at a time: what the rate gives in a fiftieth of a second, within reason.
    let quantum: Int
    /// Bytes that can be handed out now.
    private var tokens: Double
    private var filled: ContinuousClock.Instant
    private var small: [UInt64] = []
    private var parts: [UInt64] = []
    private var smallGrants = 0

    /// `rate` in bytes a second.
    init(rate: Int64, now: ContinuousClock.Instant) {
        self.rate = Double(max(1, rate))
        quantum = Int(min(1 << 20, max(4096, rate / 50)))
        tokens = Double(quantum)
        filled = now
    }

    /// A transfer wants to move bytes and may not; it waits once, however often it asks.
    mutating func ask(_ id: UInt64, isPart: Bool) {
        guard !small.contains(id), !parts.contains(id) else { return }
        if isPart { parts.append(id) } else { small.append(id) }
    }

    /// A transfer has ended, with so many bytes granted and not moved; below 0, it has moved more.
    mutating func end(_ id: UInt64, unused: Int) {
        small.removeAll { $0 == id }
        parts.removeAll { $0 == id }
        tokens += Double(unused)
    }

    /// Who may move `quantum` bytes now.
    mutating func grants(now: ContinuousClock.Instant) -> [UInt64] {
        refill(now)
        var granted: [UInt64] = []
        while tokens >= Double(quantum), let id = next() {
            tokens -= Double(quantum)
            granted.append(id)
        }
        return granted
    }

    /// How long until somebody who waits may move bytes; nil if nobody waits.
    func wait(now: ContinuousClock.Instant) -> Duration? {
        guard !(small.isEmpty && parts.isEmpty) else { return nil }
        let missing = Double(quantum) - tokens - filled.duration(to: now) / .seconds(1) * rate
        return .seconds(max(0, missing / rate))
    }

    private mutating func next() -> UInt64? {
        let isForPart = small.isEmpty || smallGrants >= Self.smallGrantsInARow
        if isForPart, !parts.isEmpty {
            smallGrants = 0
            return parts.removeFirst()
        }
        guard !small.isEmpty else { return nil }
        smallGrants += 1
        return small.removeFirst()
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        // A tenth of a second may be caught up: the loop is not called on time.
        let most = max(Double(2 * quantum), rate / 10)
        tokens = min(most, tokens + max(.zero, filled.duration(to: now)) / .seconds(1) * rate)
        filled = max(filled, now)
    }
}

/// What one transfer may move.
struct BandwidthShare {
    private let isLimited: Bool
    /// Bytes that were granted and not moved; below 0 after an answer's piece that was larger.
    private(set) var left = 0
    /// Whether it waits for a grant.
    private(set) var isStarved = false

    init(isLimited: Bool) {
        self.isLimited = isLimited
    }

    /// Whether it may move bytes; if not, it waits for a grant from now on.
    var mayMove: Bool {
        mutating get {
            isStarved = isLimited && left <= 0
            return !isStarved
        }
    }

    /// Takes what there is, at most `count` bytes.
    mutating func take(atMost count: Int) -> Int {
        let taken = isLimited ? min(count, left) : count
        left -= isLimited ? taken : 0
        return taken
    }

    /// Counts bytes that came.
    mutating func charge(_ count: Int) {
        if isLimited { left -= count }
    }

    /// Adds bytes; whether it has waited for them and can go on.
    mutating func grant(_ count: Int) -> Bool {
        left += count
        guard isStarved, left > 0 else { return false }
        isStarved = false
        return true
    }
}
