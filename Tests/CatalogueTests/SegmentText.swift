import Testing

@testable import Catalogue

/// All that a segment says.
func readSegment(_ body: SegmentBody) throws -> (header: SegmentHeader, records: [JournalRecord]) {
    var reader = try SegmentReader(body)
    var records: [JournalRecord] = []
    while let record = try reader.next() { records.append(record) }
    return (reader.header, records)
}

/// A segment of some records, in memory.
func writeSegment(_ header: SegmentHeader, _ records: [JournalRecord]) throws -> [UInt8] {
    let writer = SegmentWriter(header) { () throws(SegmentError) in throw .localFile(errno: 28) }
    for record in records { try writer.add(record) }
    guard case .memory(let bytes) = try writer.finish() else {
        Issue.record("it was not small")
        return []
    }
    return bytes
}

/// The lines that a segment has, unpacked.
func segmentText(_ bytes: [UInt8]) throws -> String {
    var text: [UInt8] = []
    try GzipDecoder().add(bytes[...], to: &text)
    return String(decoding: text, as: UTF8.self)
}

/// Text as a segment's bytes.
func packed(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    let gzip = GzipEncoder()
    gzip.add(Array(text.utf8), to: &bytes)
    gzip.finish(&bytes)
    return bytes
}

extension CatalogueAnswering {
    /// What the next segment tells.
    func waitingRecords() throws -> [JournalRecord] {
        try answer { reader throws(CatalogueError) in
            var records: [JournalRecord] = []
            try reader.journal { records.append($0) }
            return records
        }
    }
}
