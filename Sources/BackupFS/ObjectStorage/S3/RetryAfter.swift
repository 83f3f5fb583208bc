import CCurl
import Glibc

/// The header Retry-After: seconds, or a date (RFC 9110, 10.2.3).
enum RetryAfter {
    /// How long from now; nil if it is neither.
    ///
    /// A date that has passed is no time at all.
    static func parse(_ text: String) -> Duration? {
        if let seconds = Int64(text) { return (0...31_536_000).contains(seconds) ? .seconds(seconds) : nil }
        let date = curl_getdate(text, nil)
        return date < 0 ? nil : .seconds(max(0, date - time(nil)))
    }
}
