import Foundation
import Testing

@testable import Catalogue

@Suite("Journal segments, of earlier versions too")
struct SegmentTests {
    /// What the golden segment says, one record of each kind at least.
    private static let records: [JournalRecord] = [
        .resource(
            .init(
                id: 2, kind: "file", status: "created", mode: 0o644, uid: 1000, gid: 1001, size: 5,
                accessed: 1_700_000_000_000_000_001, modified: 1_700_000_000_000_000_002,
                changed: 1_700_000_000_000_000_003, createdAt: -1, version: "0a3kq1v7x2mf",
                key: "d/a~0a3kq1v7x2mf.jpg", sha256: Data(0..<32))),
        .resource(
            .init(
                id: 5, kind: "symlink", status: "created", mode: 0o777, uid: 0, gid: 0, size: 3, accessed: 40,
                modified: 41, changed: 42, createdAt: 39, target: Data([0x2F, 0x6E, 0xFF]))),
        .resource(
            .init(
                id: 6, kind: "file", status: "deleted", mode: 0o644, uid: 0, gid: 0, size: 4, accessed: 50,
                modified: 51, changed: 52, createdAt: 49, deletedAt: 53)),
        .resource(
            .init(
                id: 8, kind: "character", status: "created", mode: 0o666, uid: 0, gid: 0, size: 0, accessed: 70,
                modified: 71, changed: 72, createdAt: 69, device: 259)),
        .erasedResource(id: 9),
        .name(parent: 1, name: [0x62, 0xFF], resource: 3),
        .removedName(parent: 7, name: Array("\u{E4}.jpg".utf8)),
        .xattr(resource: 2, name: "user.gr\u{F6}\u{DF}e/\"x\"", value: [0x00, 0xFF, 0x61]),
        .xattr(resource: 2, name: "user.empty", value: []),
        .removedXattr(resource: 2, name: "user.title"),
    ]

    @Test("I9: a segment in a bucket says what it said when it was written")
    func decoding() throws {
        #expect(try JournalSegment.decode(Golden.segment()) == Self.records)
    }

    @Test("The same records give the same text; how gzip packs it may differ from one zlib to the next")
    func encoding() throws {
        let segment = JournalSegment.encode(Self.records)
        let golden = try Golden.segment()
        #expect(try JournalSegment.gunzip(segment, limit: 1 << 20) == JournalSegment.gunzip(golden, limit: 1 << 20))
        #expect(try JournalSegment.decode(segment) == Self.records)
    }

    @Test("A damaged segment is refused")
    func damaged() {
        let segment = JournalSegment.encode([.erasedResource(id: 7)])
        #expect(throws: JournalSegment.Damaged()) { try JournalSegment.decode(Array(segment.dropLast(4))) }
        var flipped = segment
        flipped[flipped.count / 2] ^= 0x40
        #expect(throws: JournalSegment.Damaged()) { try JournalSegment.decode(flipped) }
    }
}
