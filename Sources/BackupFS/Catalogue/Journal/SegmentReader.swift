// Reads a segment record by record. What a bucket holds is input like everything else: it may be cut off, changed, or made to
// harm, and costs no more memory than its longest line.

import Glibc
import Linux

/// Reads one segment.
package struct SegmentReader {
    private var lines: SegmentLines
    private var count: Int64 = 0
    private var isAtEnd = false
    /// What the segment says of itself.
    package let header: SegmentHeader

    /// Reads the header.
    package init(_ body: SegmentBody) throws(SegmentError) {
        lines = SegmentLines(body)
        guard var line = try lines.next() else { throw .damaged }
        header = try SegmentHeader(&line)
    }

    /// The next record; nil after the last one, when all of the segment was there.
    package mutating func next() throws(SegmentError) -> JournalRecord? {
        while !isAtEnd {
            guard var line = try lines.next() else { throw .damaged }
            if line.text("entity") == "end" {
                guard line.number("count") == count, try lines.next() == nil else { throw .damaged }
                isAtEnd = true
            } else {
                count += 1
                if let record = try JournalRecord(&line) { return record }
            }
        }
        return nil
    }
}

/// The lines of a packed text.
private struct SegmentLines {
    /// Bytes of the longest line there can be: twice an extended attribute of 64 KiB.
    private static let longest = 256 * 1024
    /// Packed bytes that are read at a time.
    private static let pageSize = 16 * 1024

    private let body: SegmentBody
    private var offset = 0
    private let gzip = GzipDecoder()
    private var text: [UInt8] = []
    /// Where the first line begins that was not given yet.
    private var position = 0

    init(_ body: SegmentBody) { self.body = body }

    mutating func next() throws(SegmentError) -> JSONLine? {
        var searched = position
        while true {
            if let end = text[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { position = end + 1 }
                do throws(JSONLine.Malformed) { return try JSONLine(text[position..<end]) } catch { throw .damaged }
            }
            searched = text.count
            guard searched - position <= Self.longest else { throw .damaged }
            let page = try readPage()
            if page.isEmpty {
                guard gzip.isFinished, position == text.count else { throw .damaged }
                return nil
            }
            if position > 0 {
                text.removeSubrange(..<position)
                searched -= position
                position = 0
            }
            try gzip.add(page, to: &text)
        }
    }

    private mutating func readPage() throws(SegmentError) -> ArraySlice<UInt8> {
        switch body {
        case .memory(let bytes):
            let page = bytes[offset..<min(bytes.count, offset + Self.pageSize)]
            offset += page.count
            return page
        case .file(let file, let length):
            var page = [UInt8](repeating: 0, count: Self.pageSize)
            let count = pread(file.number, &page, min(page.count, Int(length) - offset), off_t(offset))
            guard count >= 0 else { throw .localFile(errno: errno) }
            offset += count
            return page[..<count]
        }
    }
}
