// Due times are times of day: they must outlast a restart, and a machine's clock may be set. A clock that goes back by a
// day would put all that is due to sleep for a day.

import Catalogue
import Glibc

/// Finds out when the time of day goes back, by a clock that never does.
struct ClockWatch {
    /// Seconds that the time of day may be slowed down by in between: a correction, not a step.
    private static let tolerance: Nanoseconds = 2 * 1_000_000_000

    /// The time of day less the time since the boot (CLOCK_BOOTTIME), when last looked at.
    private var difference: Nanoseconds

    init(now: Nanoseconds = currentTime(), sinceBoot: Nanoseconds = Self.timeSinceBoot()) {
        difference = now - sinceBoot
    }

    /// Whether the time of day has gone back since the last call.
    mutating func hasGoneBack(
        now: Nanoseconds = currentTime(), sinceBoot: Nanoseconds = Self.timeSinceBoot()
    ) -> Bool {
        let last = difference
        difference = now - sinceBoot
        return difference < last - Self.tolerance
    }

    static func timeSinceBoot() -> Nanoseconds {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Nanoseconds(time)
    }
}
