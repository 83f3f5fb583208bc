import Foundation
import TestSupport
import Testing

@testable import Catalogue

@Suite("Journal segments, of earlier versions too")
struct SegmentTests {
    private static let owner = Epoch(3, VersionID("0a3kq1v7x2mf"))
    private static let content = JournalRecord.Content(
        id: "0a3kq1v7x2mf", key: "d/a~0a3kq1v7x2mf.jpg", size: 5, sha256: Array(0..<32),
        point: ChangePoint(epoch: 2, change: 41))

    private static let header = SegmentHeader(
        catalogue: "7d1a9d4e", first: 57, id: SegmentID(number: 57, epoch: owner, attempt: 2),
        previous: .init(
            id: SegmentID(number: 56, epoch: Epoch(2, VersionID("0a3kq1v7x2me")), attempt: 1),
            sha256: Array(32..<64)),
        lastChange: 1450, pending: ChangePoint(epoch: 2, change: 1400), time: 1_700_000_000_000_000_009)

    /// What the golden segment says, one record of each kind at least.
    private static let records: [JournalRecord] = [
        .resource(
            .init(
                id: 2, kind: .file, status: .created, mode: 0o644, uid: 1000, gid: 1001, size: 5,
                accessed: 1_700_000_000_000_000_001, modified: 1_700_000_000_000_000_002,
                changed: 1_700_000_000_000_000_003, createdAt: -1, content: content, versionNumber: 3)),
        .resource(
            .init(
                id: 5, kind: .symlink, status: .created, mode: 0o777, uid: 0, gid: 0, size: 3, accessed: 40,
                modified: 41, changed: 42, createdAt: 39, target: [0x2F, 0x6E, 0xFF])),
        .resource(
            .init(
                id: 6, kind: .file, status: .deleted, mode: 0o644, uid: 0, gid: 0, size: 4, accessed: 50,
                modified: 51, changed: 52, createdAt: 49,
                deletion: .init(time: 53, dentry: Dentry(.root, Array("gone".utf8))))),
        .resource(
            .init(
                id: 8, kind: .character, status: .created, mode: 0o666, uid: 0, gid: 0, size: 0, accessed: 70,
                modified: 71, changed: 72, createdAt: 69, device: 259)),
        .erasedResource(id: 9),
        .name(parent: 1, name: [0x62, 0xFF], resource: 3),
        .name(parent: 1, name: Array("a\n\"\\\u{1}\u{1F4F7}/".utf8), resource: 2),
        .removedName(parent: 7, name: Array("\u{E4}.jpg".utf8)),
        .xattr(resource: 2, name: Array("user.gr\u{F6}\u{DF}e/\"x\"".utf8), value: [0x00, 0xFF, 0x61]),
        .xattr(resource: 2, name: [0x75, 0x2E, 0xFE], value: []),
        .removedXattr(resource: 2, name: Array("user.title".utf8)),
        .version(.init(resource: 2, content: content, createdAt: 80, keptUntil: 90)),
        .removedVersion(id: "0a3kq1v7x2mg"),
    ]

    @Test("I9: a segment in a bucket says what it said when it was written")
    func decoding() throws {
        let golden = try readSegment(.memory(Golden.segment()))
        #expect(golden.header == Self.header)
        #expect(golden.records == Self.records)
    }

    @Test("The same records give the same text; how gzip packs it may differ from one zlib to the next")
    func encoding() throws {
        let segment = try writeSegment(Self.header, Self.records)
        #expect(try segmentText(segment) == segmentText(Golden.segment()))
        #expect(try readSegment(.memory(segment)).records == Self.records)
    }

    @Test("Every line is JSON to others, too, with names as text where they are text")
    func others() throws {
        let lines = try segmentText(Golden.segment()).split(separator: "\n")
        let objects = try lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(objects.count == Self.records.count + 2)
        #expect(objects.first?["entity"] as? String == "segment" && objects.last?["entity"] as? String == "end")
        #expect(objects[7]["name"] as? String == "a\n\"\\\u{1}\u{1F4F7}/")
        #expect(objects[6]["name64"] as? String == "Yv8=" && objects[6]["name"] == nil)
    }

    @Test("What another program writes as JSON is read: white space, escapes, fields in any order, and more of them")
    func tolerance() throws {
        let lines = try segmentText(Golden.segment()).split(separator: "\n")
        let name =
            #"{ "id" : 3 , "more": [1, {"x": [null, -2.5e3]}], "name":"\u00e4\ud83d\udcf7\/\n", "parent":1, "entity":"name" }"#
        let foreign = #"{"entity":"rating","stars":5}"#
        let text = [String(lines[0]), foreign, name, #"{"count":2,"entity":"end"}"#].joined(separator: "\n") + "\n"
        let read = try readSegment(.memory(packed(text)))
        #expect(read.records == [.name(parent: 1, name: Array("\u{E4}\u{1F4F7}/\n".utf8), resource: 3)])
    }

    @Test("A segment that is cut off, changed, or goes on after its end is refused")
    func damaged() throws {
        let segment = try writeSegment(Self.header, Self.records)
        for length in 0..<segment.count {
            #expect(throws: SegmentError.damaged) { try readSegment(.memory(Array(segment.prefix(length)))) }
        }
        #expect(throws: SegmentError.damaged) { try readSegment(.memory(segment + [0])) }
        #expect(throws: SegmentError.damaged) { try readSegment(.memory(segment + segment)) }
        let lines = try segmentText(segment).split(separator: "\n").map(String.init)
        for missing in lines.indices {
            var rest = lines
            rest.remove(at: missing)
            #expect(throws: SegmentError.damaged) {
                try readSegment(.memory(packed(rest.joined(separator: "\n") + "\n")))
            }
        }
        #expect(throws: SegmentError.damaged) {
            try readSegment(.memory(packed((lines + [lines[1]]).joined(separator: "\n") + "\n")))
        }
    }

    @Test("A newer format that says so is refused with its number, not taken for damage")
    func newer() throws {
        let text = try segmentText(Golden.segment()).replacingOccurrences(of: #""readable":2"#, with: #""readable":3"#)
        #expect(throws: SegmentError.newerFormat(3)) { try readSegment(.memory(packed(text))) }
    }

    @Test("A line without an end, and a bomb of one, cost no more than the longest line")
    func bomb() throws {
        let lines = try segmentText(Golden.segment()).split(separator: "\n").map(String.init)
        let long = lines[0] + "\n" + #"{"entity":""# + String(repeating: "a", count: 100 << 20)
        let bytes = packed(long)
        #expect(bytes.count < 200_000)
        #expect(throws: SegmentError.damaged) { try readSegment(.memory(bytes)) }
    }

    @Test("Whatever the bytes are, reading ends with records or with an error", arguments: 0..<4)
    func generated(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let lines = Array(try segmentText(Golden.segment()).utf8)
        var accepted = 0
        for _ in 0..<800 {
            var text = lines
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: text[place] = UInt8.random(in: 0...255, using: &random)
                case 1: text.remove(at: place)
                case 2: text.insert(contentsOf: Array("\"{}[],:\\u-0".utf8).shuffled(using: &random), at: place)
                default: text.swapAt(place, Int.random(in: 0..<text.count, using: &random))
                }
            }
            let segment = packed(String(decoding: text, as: UTF8.self))
            do {
                for record in try readSegment(.memory(segment)).records {
                    if case .resource(let state) = record { #expect(state.mode <= 0o7777 && state.size >= 0) }
                }
                accepted += 1
            } catch is SegmentError {
                // Refused: nothing else can come.
            }
        }
        #expect(accepted > 0 && accepted < 800)
    }

    @Test("Moments and claims are ordered by the epoch first, and read as they are written")
    func order() throws {
        let early = ChangePoint(epoch: 2, change: 90)
        #expect(early < ChangePoint(epoch: 3, change: 1) && ChangePoint("2.90") == early)
        #expect(ChangePoint("2.") == nil && ChangePoint("2.9.1") == nil && ChangePoint("-1.2") == nil)
        let (first, second) = (Epoch(9, VersionID("000000000000")), Epoch(10, VersionID("000000000000")))
        #expect(first < second && first < Epoch(9, VersionID("000000000001")))
        let id = SegmentID(number: 8, epoch: second, attempt: 1)
        #expect(SegmentID(number: 900, epoch: first, attempt: 7) < id && SegmentID("\(id)") == id)
        #expect(SegmentID("8~10~000000000000") == nil && SegmentID("8~10~00000000000!~1") == nil)
    }
}
