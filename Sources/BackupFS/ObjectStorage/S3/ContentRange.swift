/// The bytes of an object that a partial answer holds (RFC 9110, 14.4).
struct ContentRange: Sendable, Equatable {
    /// The offset of the first byte.
    let first: Int64
    /// The offset of the last byte.
    let last: Int64
    /// The length of the whole object.
    let total: Int64

    /// Reads a header's value, like `bytes 0-99/1000`; nil if it is none or makes no sense.
    init?(_ text: some StringProtocol) {
        guard text.hasPrefix("bytes ") else { return nil }
        let numbers = text.dropFirst("bytes ".count).split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == "-" || $0 == "/" }
        ).map { Int64($0) }
        guard numbers.count == 3, let first = numbers[0], let last = numbers[1], let total = numbers[2],
            first >= 0, first <= last, last < total
        else { return nil }
        self.first = first
        self.last = last
        self.total = total
    }

    /// How many bytes it says.
    var count: Int64 { last - first + 1 }
}
