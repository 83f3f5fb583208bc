import Catalogue
import Glibc

/// The time of day in nanoseconds since 1970.
package func currentTime() -> Nanoseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Nanoseconds(time)
}

extension Nanoseconds {
    /// A timespec as nanoseconds; saturates at the years 1677 and 2262.
    package init(_ time: timespec) {
        let (product, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, second) = product.addingReportingOverflow(Int64(time.tv_nsec))
        self = overflow || second ? (time.tv_sec < 0 ? .min : .max) : sum
    }

    /// The timespec of these nanoseconds.
    package var timespec: Glibc.timespec {
        var seconds = self / 1_000_000_000
        var rest = self % 1_000_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000_000
        }
        return Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(rest))
    }
}
