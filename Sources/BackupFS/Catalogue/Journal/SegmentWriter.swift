// Writes a segment record by record: into memory as long as it is small, into a file from then on.

import Glibc
import Linux

/// The bytes of a segment.
package enum SegmentBody: Sendable {
    case memory([UInt8])
    case file(Descriptor, length: Int64)
}

/// Writes one segment.
package final class SegmentWriter {
    /// Bytes from which on a segment is kept in a file.
    private static let largestInMemory = 1 << 20

    private let gzip = GzipEncoder()
    private var output: [UInt8] = []
    /// Lines that were not packed yet.
    private var text: [UInt8] = []
    private var file: Descriptor?
    private var length: Int64 = 0
    private let makeFile: () throws(SegmentError) -> Descriptor
    /// How many records it has so far.
    package private(set) var count: Int64 = 0

    /// `makeFile` gives an empty file that nobody else uses.
    package init(_ header: SegmentHeader, makeFile: @escaping () throws(SegmentError) -> Descriptor) {
        self.makeFile = makeFile
        append { header.write(into: &$0) }
    }

    private func append(_ body: (inout JSONLineWriter) -> Void) {
        var line = JSONLineWriter()
        body(&line)
        line.end()
        text += line.bytes
    }

    package func add(_ record: JournalRecord) throws(SegmentError) {
        count += 1
        append { record.write(into: &$0) }
        if text.count >= 1 << 16 { try pack() }
    }

    /// Ends the segment.
    package func finish() throws(SegmentError) -> SegmentBody {
        let count = count
        append { line in
            line.add("entity", "end")
            line.add("count", count)
        }
        try pack()
        gzip.finish(&output)
        guard file != nil else { return .memory(output) }
        try spill()
        guard let file else { throw .damaged }
        return .file(file, length: length)
    }

    private func pack() throws(SegmentError) {
        gzip.add(text, to: &output)
        text.removeAll(keepingCapacity: true)
        if file != nil || output.count > Self.largestInMemory { try spill() }
    }

    private func spill() throws(SegmentError) {
        let file: Descriptor
        if let known = self.file { file = known } else { file = try makeFile() }
        self.file = file
        var start = 0
        while start < output.count {
            let written = output.withUnsafeBytes { bytes in
                pwrite(file.number, bytes.baseAddress.map { $0 + start }, bytes.count - start, off_t(length))
            }
            guard written > 0 else { throw .localFile(errno: written < 0 ? errno : EIO) }
            start += written
            length += Int64(written)
        }
        output.removeAll(keepingCapacity: true)
    }
}
