import ArgumentParser

/// A length of time as users write it: `60`, `90s`, `2m`, `1h`; whole numbers, longer than nothing.
struct DurationArgument: Equatable, Sendable {
    /// The length in seconds.
    var seconds: Int64

    /// The length.
    var duration: Duration { .seconds(seconds) }

    /// nil unless `text` is a duration of at least a second and at most a week.
    init?(text: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
        let unit = text.last.flatMap { units[$0] }
        let digits = unit == nil ? text[...] : text.dropLast()
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int64(digits) else {
            return nil
        }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflow, (1...604_800).contains(seconds) else { return nil }
        self.seconds = seconds
    }

    init(seconds: Int64) {
        self.seconds = seconds
    }
}

extension DurationArgument: ExpressibleByArgument {
    init?(argument: String) {
        self.init(text: argument)
    }
}

extension DurationArgument: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Self(text: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a duration like 90s")
        }
        self = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("\(seconds)s")
    }
}
