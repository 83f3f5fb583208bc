/// Names one version of one file for ever: twelve characters of Crockford's base 32, lower case.
///
/// Eight characters of time (milliseconds since 2024, so that keys sort by age) and four of chance; the catalogue's
/// primary key refuses the rest of the collisions.
package struct VersionID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The twelve characters.
    package var description: String

    package init(_ text: String) { description = text }

    /// Whether a text can be an id.
    package static func isWellFormed(_ text: some StringProtocol) -> Bool {
        let digits = "0123456789abcdefghjkmnpqrstvwxyz".utf8
        return text.utf8.count == 12 && text.utf8.allSatisfy { digits.contains($0) }
    }

    package init(now: Nanoseconds) {
        var number = UInt64(clamping: now / 1_000_000 - 1_704_067_200_000) << 20 | UInt64.random(in: 0..<(1 << 20))
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
        var text = [UInt8](repeating: 0, count: 12)
        for index in text.indices.reversed() {
            text[index] = digits[Int(number & 31)]
            number >>= 5
        }
        description = String(decoding: text, as: UTF8.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package init(from decoder: any Decoder) throws {
        description = try decoder.singleValueContainer().decode(String.self)
    }
}
