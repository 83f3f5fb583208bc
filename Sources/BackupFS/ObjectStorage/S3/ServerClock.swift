// A signature is good for some minutes around its time, by the server's clock. Where this machine's clock is wrong, the
// server's own is used: its answers say the time.

import CCurl
import Glibc
import Synchronization

/// The time as the server has it.
final class ServerClock: Sendable {
    /// Answers are seconds old and dates have whole ones: less is no difference.
    private static let tolerance: Int64 = 60

    /// How far the server's clock is ahead of ours, in seconds.
    private let ahead = Atomic<Int64>(0)
    private let local: @Sendable () -> Int64

    /// `local` is this machine's clock, in seconds since 1970.
    init(local: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }) {
        self.local = local
    }

    /// Seconds since 1970.
    var now: Int64 { local() + ahead.load(ordering: .relaxed) }

    /// How far the server's clock is ahead of this machine's, as far as it mattered; zero if it never did.
    var offset: Duration { .seconds(ahead.load(ordering: .relaxed)) }

    /// Goes by the server's date from now on; false if that changes nothing.
    func follow(_ date: Int64) -> Bool {
        let wanted = date - local()
        guard abs(wanted - ahead.load(ordering: .relaxed)) > Self.tolerance else { return false }
        ahead.store(wanted, ordering: .relaxed)
        return true
    }

    /// The header Date, in seconds since 1970; nil if it is none.
    static func seconds(_ text: String) -> Int64? {
        let date = curl_getdate(text, nil)
        return date < 0 ? nil : Int64(date)
    }
}
