import FileSystemCore
import Foundation
import Testing

@testable import Command

@Suite("Output")
struct OutputTests {
    @Test("the status as people read it")
    func status() {
        #expect(
            ReportText.status(FakeOperator.status())
                == """
                main         /srv/photos
                mounted at   /mnt/photos
                backup       s3://b/p (reachable)
                resources    12,345 created, 0 creating, 4 deleted
                still to do  nothing
                leftovers    0
                set aside    nothing
                recovered    1 file, 0 failed
                passthrough  off: not mounted
                Everything is backed up.

                """)
    }

    @Test(
        "the status says at a glance whether everything is backed up",
        arguments: [
            (FakeOperator.status(uploads: 1), "Not everything is backed up yet."),
            (FakeOperator.status(journal: 2), "All files are backed up, some names are on their way."),
            (FakeOperator.status(leftovers: 1), "Storages do not match: see \"backupfs leftovers\"."),
        ])
    func summary(report: StatusReport, line: String) {
        #expect(ReportText.status(report).hasSuffix(line + "\n"))
    }

    @Test("a status without backup storage says so and why")
    func outage() {
        let text = ReportText.status(FakeOperator.status(reachable: false))
        #expect(text.contains("s3://b/p (NOT reachable)\n"))
        #expect(text.contains("last error   connection refused\n"))
    }

    @Test("a status says what failed since the mount, if anything did")
    func failures() {
        var report = FakeOperator.status()
        #expect(!ReportText.status(report).contains("failures"))
        report.failures = .init(uploads: 1_200, removals: 3, setAside: 4, catalogue: 5, journal: 6)
        #expect(
            ReportText.status(report).contains(
                "failures     1,200 uploads, 3 removals, 4 set aside, 5 catalogue, 6 journal since the mount\n"))
    }

    @Test("leftovers name the file, the reason and the last failure, and nothing moves the cursor")
    func leftovers() {
        let rows = [FakeOperator.leftover("a\u{1B}[2Jb", lastError: "line\nbreak"), FakeOperator.leftover("c")]
        #expect(
            rows.map(ReportText.leftover).joined() + ReportText.leftovers(2)
                == """
                a\\u{1B}[2Jb: not in backup (stored in main, since 2023-11-14T22:13:20.000Z)
                    last error: line\\u{A}break
                c: not in backup (stored in main, since 2023-11-14T22:13:20.000Z)
                2 leftovers

                """)
        #expect(ReportText.leftovers(0) == "no leftovers\n")
    }

    @Test("clean says what it did, a dry run what it would do")
    func clean() {
        let step = CleanReport.Step(key: "a", action: .remove, reason: "deleted, still stored")
        let report = CleanReport(uploaded: 1, removed: 2, failed: 3, remaining: 4)
        #expect(ReportText.cleaned(report) == "1 uploaded, 2 removed, 3 failed, 4 remaining\n")
        #expect(ReportText.wouldClean(step) == "would remove a: deleted, still stored\n")
        #expect(ReportText.wouldClean(1) == "1 leftover, nothing was done\n")
    }

    @Test("a list is written as it comes: lines, or one JSON array", arguments: [0, 1, 3])
    func list(count: Int) throws {
        final class Written {
            var text = ""
        }
        let (json, text) = (Written(), Written())
        var (array, lines) = (
            ListOutput(isJSON: true) { json.text += $0 }, ListOutput(isJSON: false) { text.text += $0 }
        )
        let rows = (0..<count).map { FakeOperator.leftover("\($0)") }
        for row in rows {
            array.add(row, "never shown")
            lines.add(row, row.key + "\n")
        }
        array.finish("never shown")
        lines.finish("end\n")
        #expect(try ReportCoding.decode([LeftoverReport].self, from: Array(json.text.utf8)) == rows)
        #expect(json.text.hasSuffix("]\n") && json.text.count { $0 == "\n" } == 1)
        #expect(text.text == rows.map { $0.key + "\n" }.joined() + "end\n")
        #expect(array.count == count)
    }

    @Test("a row says where the file is and under which key")
    func info() {
        let report = ResourceReport(
            key: "a.jpg", status: .creating, createdAt: Date(timeIntervalSince1970: 1_700_000_000), deletedAt: nil,
            stored: StoredIn(main: true, backup: false), size: 1_234_567, version: 0, sha256: nil, backupKey: nil,
            lastError: "refused")
        let text = ReportText.info(report)
        #expect(text.contains("size        1,234,567 bytes\n"))
        #expect(text.contains("stored in   main\n"))
        #expect(text.contains("backup key  none\n"))
    }

    @Test("progress is a bar on a terminal and plain lines elsewhere, not more often than anybody reads")
    func progress() {
        let start = ContinuousClock.now
        let figures = [4, 3, 2, 0].map { SyncProgress(uploads: $0, journal: 0) }
        final class Written {
            var text: [String] = []
        }
        let lines = Written()
        var plain = ProgressDisplay(isTerminal: false) { lines.text.append($0) }
        for (index, figure) in figures.enumerated() { plain.show(figure, now: start + .seconds(index)) }
        plain.finish()
        #expect(
            lines.text == [
                "waiting for the backup: 4 uploads left\n", "waiting for the backup: 2 uploads left\n",
                "waiting for the backup: done\n",
            ])
        let bars = Written()
        var terminal = ProgressDisplay(isTerminal: true) { bars.text.append($0) }
        for figure in figures { terminal.show(figure) }
        terminal.finish()
        #expect(bars.text.count == 5)
        #expect(ProgressDisplay.bar(figures[2], most: 4).hasPrefix("[###############               ] 2 uploads"))
        let nothing = Written()
        var idle = ProgressDisplay(isTerminal: true) { nothing.text.append($0) }
        idle.show(figures[3])
        idle.finish()
        #expect(nothing.text.isEmpty)
    }

    @Test("a line of the log holds its facts and no line break")
    func log() {
        let date = Date(timeIntervalSince1970: 1_700_000_000)
        let facts = ["key": "a b", "inode": "7", "text": "x\ny"]
        #expect(
            LineLogHandler.line(at: date, .warning, "upload failed", facts: facts, format: .text)
                == #"2023-11-14T22:13:20.000Z warning upload failed inode=7 key="a b" text=x\u{A}y"#)
        #expect(
            LineLogHandler.line(at: date, .warning, "upload failed", facts: facts, format: .json)
                == #"{"inode":"7","key":"a b","level":"warning","message":"upload failed","text":"x\ny","#
                + #""time":"2023-11-14T22:13:20.000Z"}"#)
    }
}
