import FoundationEssentials

/// The JSON of the reports: one line, sorted keys, every key present, dates in ISO 8601 with milliseconds in UTC.
///
/// Scripts rely on it: keys may be added, none changes or goes.
package enum ReportCoding {
    /// The JSON of a report, on one line without a line feed.
    package static func encode(_ report: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(text(date))
        }
        return [UInt8](try encoder.encode(report))
    }

    /// A report from its JSON; throws a `DecodingError` for anything else.
    package static func decode<Report: Decodable>(_ type: Report.Type, from json: some Sequence<UInt8>) throws -> Report
    {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = try? style.parse(text) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an ISO 8601 date: \(text)")
            }
            return date
        }
        return try decoder.decode(type, from: Data(json))
    }

    /// A date as the reports write it: `2025-01-31T12:00:00.250Z`.
    package static func text(_ date: Date) -> String { style.format(date) }

    private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
