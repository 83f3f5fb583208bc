/// How often segments leave under load: as seldom as keeps what backup does not know of yet younger than two seconds.
///
/// A change that comes just after one segment was read waits for the next one to begin and to end.
struct JournalPace {
    /// What the lag may reach; what is promised is longer by what makes one segment slower than those before it.
    private static let lag = Duration.milliseconds(1700)
    private static let shortest = Duration.milliseconds(200)

    /// How long segments take that take long; it is forgotten slowly.
    private var slow = Duration.zero

    /// How long to rest after a segment that took `taken`.
    mutating func rest(after taken: Duration) -> Duration {
        slow = max(taken, slow * 9 / 10)
        return max(Self.shortest, Self.lag - taken - slow)
    }
}
