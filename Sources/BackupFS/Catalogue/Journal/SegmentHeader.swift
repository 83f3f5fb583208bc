// The first and the last line of a segment.

/// What a segment says of itself.
package struct SegmentHeader: Sendable, Equatable {
    /// The format that this program writes, and the newest that it reads.
    package static let format: Int64 = 2

    /// The catalogue's own name.
    package var catalogue: String
    /// The number of its first segment: less than that of `id` where several were merged, 0 if it tells everything.
    package var first: Int64
    /// The sending of its last segment.
    package var id: SegmentID
    /// The segment before its first one, and the SHA-256 of that as it was sent; nil if there is none, or it tells everything.
    package var previous: Link?
    /// The SHA-256 of its last segment as that was sent; nil in a segment that is that itself.
    package var sealed: [UInt8]?
    /// The number of its last change.
    package var lastChange: Int64
    /// The earliest moment at which an upload began that was not finished when this was written; nil if none was.
    package var pending: ChangePoint?
    /// When it was written, by the clock of the machine that did.
    package var time: Nanoseconds

    /// A segment, and what its bytes were when it was sent.
    package struct Link: Sendable, Equatable {
        package var id: SegmentID
        /// SHA-256, 32 bytes.
        package var sha256: [UInt8]

        package init(id: SegmentID, sha256: [UInt8]) {
            self.id = id
            self.sha256 = sha256
        }
    }

    package init(
        catalogue: String, first: Int64, id: SegmentID, previous: Link?, sealed: [UInt8]? = nil, lastChange: Int64,
        pending: ChangePoint?, time: Nanoseconds
    ) {
        self.catalogue = catalogue
        self.first = first
        self.id = id
        self.previous = previous
        self.sealed = sealed
        self.lastChange = lastChange
        self.pending = pending
        self.time = time
    }

    /// From which moment on an object that no record names may be a content that was acknowledged.
    package var unsettledFrom: ChangePoint {
        let end = ChangePoint(epoch: id.epoch.number, change: lastChange)
        return min(pending ?? end, end)
    }
}

extension SegmentHeader {
    func write(into line: inout JSONLineWriter) {
        line.add("entity", "segment")
        line.add("format", Self.format)
        // A reader of this format may pass over what it does not know.
        line.add("readable", Self.format)
        line.add("catalogue", catalogue)
        line.add("first", first)
        line.add("id", id.description)
        line.add("previous", previous?.id.description)
        if let previous { line.add("previousSHA256", base64: previous.sha256) }
        if let sealed { line.add("sealedSHA256", base64: sealed) }
        line.add("lastChange", lastChange)
        line.add("pending", pending?.description)
        line.add("time", time)
    }

    init(_ line: inout JSONLine) throws(SegmentError) {
        guard line.text("entity") == "segment", let readable = line.number("readable") else { throw .damaged }
        guard readable <= Self.format else { throw .newerFormat(readable) }
        guard let catalogue = line.text("catalogue"), let first = line.number("first"),
            let id = line.text("id").flatMap({ SegmentID($0) }), let lastChange = line.number("lastChange"),
            let time = line.number("time"), (0...id.number).contains(first), lastChange >= 0
        else { throw .damaged }
        var previous: Link?
        if let text = line.text("previous") {
            guard let id = SegmentID(text), let sha256 = line.base64("previousSHA256"), sha256.count == 32 else {
                throw .damaged
            }
            previous = Link(id: id, sha256: sha256)
        }
        self.init(
            catalogue: catalogue, first: first, id: id, previous: previous, sealed: line.base64("sealedSHA256"),
            lastChange: lastChange, pending: line.text("pending").flatMap { ChangePoint($0) }, time: time)
    }
}

/// Why a segment cannot be used.
package enum SegmentError: Error, Equatable {
    /// It is not what was written: cut off, changed, or something else altogether.
    case damaged
    /// Only a newer BackupFS reads it.
    case newerFormat(Int64)
    /// A file that it is written to or read from failed, with this errno.
    case localFile(errno: Int32)
    /// What it tells could not be recorded.
    case catalogue(CatalogueError)
}
