import Catalogue

/// Checks that segments were sent one after the other.
struct SegmentChain: Sendable {
    /// The last one so far, as the next one has to name it.
    private(set) var last: SegmentHeader.Link?

    /// Takes the next one in, with the SHA-256 of its bytes.
    ///
    /// Throws `.damaged` if another one comes between.
    mutating func take(_ header: SegmentHeader, sha256: [UInt8]) throws(SegmentError) {
        if let last {
            guard header.previous == last else { throw .damaged }
        }
        last = .init(id: header.id, sha256: header.sealed ?? sha256)
    }
}

/// Several segments in a row, told as one.
struct MergedSegments {
    private var records: [JournalRecord] = []
    private var places: [JournalRecord.Entity: Int] = [:]
    private var chain = SegmentChain()
    private var header: SegmentHeader?

    /// Takes the next segment in.
    mutating func add(_ body: SegmentBody, sha256: [UInt8], key: JournalKey) throws(SegmentError) {
        var reader = try SegmentReader(body)
        let next = reader.header
        guard next.id == key.id, next.first == key.first else { throw .damaged }
        try chain.take(next, sha256: sha256)
        while let record = try reader.next() {
            // The last word counts, in the place of the first: names are listed in the order in which they came.
            if let place = places[record.entity] {
                records[place] = record
            } else {
                places[record.entity] = records.count
                records.append(record)
            }
        }
        var merged = next
        if let header { (merged.first, merged.previous) = (header.first, header.previous) }
        merged.sealed = chain.last?.sha256
        header = merged
    }

    /// What the merged segment says of itself; nil before the first.
    var merged: SegmentHeader? { header }

    func tell(_ receive: (JournalRecord) -> Void) { for record in records { receive(record) } }
}
