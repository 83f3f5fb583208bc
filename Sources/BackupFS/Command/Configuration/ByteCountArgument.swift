import ArgumentParser

/// A number of bytes as users write it: `500000`, `512K`, `16M`, `1G`; K, M and G are powers of 1,024.
struct ByteCountArgument: Equatable, Sendable {
    /// At least 1, less than 2^53.
    var bytes: Int64

    /// nil unless `text` is a whole number of bytes above 0, with or without a unit.
    init?(text: String) {
        let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let unit = text.last.flatMap { units[Character($0.uppercased())] }
        let digits = unit == nil ? text[...] : text.dropLast()
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int64(digits) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflow, bytes > 0, bytes < 1 << 53 else { return nil }
        self.bytes = bytes
    }

    init(bytes: Int64) {
        self.bytes = bytes
    }
}

extension ByteCountArgument: ExpressibleByArgument {
    init?(argument: String) {
        self.init(text: argument)
    }
}

extension ByteCountArgument: Codable {
    init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(Int64.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
