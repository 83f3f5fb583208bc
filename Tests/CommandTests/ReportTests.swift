import Foundation
import Testing

@testable import FileSystemCore

@Suite("Reports")
struct ReportTests {
    @Test(
        "a path that is not UTF-8 shows the invalid bytes percent-encoded",
        arguments: [
            (Array("photos/caf\u{e9}.jpg".utf8), "photos/caf\u{e9}.jpg"),
            ([0x61, 0xff, 0x62], "a%FFb"),
            ([0xc3], "%C3"),
            ([0xe2, 0x82, 0x2f], "%E2%82/"),
            ([0xed, 0xa0, 0x80], "%ED%A0%80"),
            ([], ""),
        ] as [([UInt8], String)])
    func display(bytes: [UInt8], text: String) {
        #expect(displayPath(bytes) == text)
    }

    @Test("the JSON of a file has every key of the command reference, null included, and dates in UTC with a fraction")
    func resourceJSON() throws {
        let report = ResourceReport(
            key: "a/b.jpg", status: .created, createdAt: Date(timeIntervalSince1970: 1_700_000_000.25), deletedAt: nil,
            stored: StoredIn(main: true, backup: true), size: 5, version: 1, sha256: nil, backupKey: "p/a/b~1.jpg",
            lastError: nil)
        let json = try ReportCoding.encode(report)
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"backupKey":"p/a/b~1.jpg","createdAt":"2023-11-14T22:13:20.250Z","#
                + #""deletedAt":null,"key":"a/b.jpg","lastError":null,"sha256":null,"size":5,"status":"created","#
                + #""stored":{"backup":true,"main":true},"version":1}"#)
        #expect(try ReportCoding.decode(ResourceReport.self, from: json) == report)
    }

    @Test("the JSON of the status has every key of the command reference")
    func statusJSON() throws {
        let report = StatusReport(
            place: .init(main: "/srv/main", mountpoint: nil),
            backup: .init(url: "s3://b/p", reachable: true, lastError: nil),
            resources: .init(creating: 1, created: 2, deleted: 3),
            pending: .init(uploads: 4, removals: 5, journal: 6, journalLag: 1.5),
            leftovers: 7, aside: 17, recoveries: .init(done: 8, failed: 9),
            failures: .init(uploads: 12, removals: 13, setAside: 14, catalogue: 15, journal: 16, changesLost: 18),
            adoption: .init(files: 10, backedUp: 11),
            objects: ObjectReport(startedAt: Date(timeIntervalSince1970: 1_700_000_000)),
            passthrough: .init(state: .on, reason: nil, files: 3))
        let json = try ReportCoding.encode(report)
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"adoption":{"backedUp":11,"files":10},"aside":17,"backup":{"lastError":null,"reachable":true,"#
                + #""takenOver":null,"url":"s3://b/p"},"failures":{"catalogue":15,"changesLost":18,"journal":16,"removals":13,"setAside":14,"#
                + #""uploads":12},"leftovers":7,"main":"/srv/main","mountpoint":null,"#
                + #""objects":{"damaged":0,"finishedAt":null,"missing":0,"objects":0,"startedAt":"2023-11-14T22:13:20.000Z","#
                + #""unknown":0},"#
                + #""passthrough":{"files":3,"reason":null,"state":"on"},"#
                + #""pending":{"journal":6,"journalLag":1.5,"removals":5,"uploads":4},"recoveries":{"done":8,"failed":9},"#
                + #""resources":{"created":2,"creating":1,"deleted":3}}"#)
        #expect(try ReportCoding.decode(StatusReport.self, from: json) == report)
    }
}
