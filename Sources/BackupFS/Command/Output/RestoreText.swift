// What a restore says to people.

import FileSystemCore
import FoundationEssentials
import Synchronization

enum RestoreText {
    static func report(_ report: RestoreReport, main: BytePath, isDryRun: Bool) -> String {
        var lines = [
            "\(ReportText.count(report.files, "file")) (\(ReportText.number(Int(report.bytes))) bytes) as of "
                + "\(report.moment.map(ReportCoding.text) ?? "the beginning"), from \(terminalText(report.backup))"
        ]
        if report.lostAndFound > 0 { lines.append("\(report.lostAndFound) had no place and are in lost+found") }
        if report.kept > 0 { lines.append("\(ReportText.count(report.kept, "file")) were in MAIN already") }
        if report.setAside > 0 {
            lines.append(
                "\(report.setAside) things in MAIN were not what the backup has: \"backupfs aside\" shows them")
        }
        if report.downloaded > 0 { lines.append("\(ReportText.count(report.downloaded, "file")) fetched") }
        if !report.gaps.isEmpty {
            lines.append("parts of the journal could not be used: names may be older than the files")
        }
        if isDryRun {
            lines.append("nothing was changed")
        } else if report.isOwner {
            lines.append("now mount it: backupfs mount \(terminalText("\(main)")) MOUNTPOINT")
        } else {
            lines.append("the credentials may only read: mount it with -o ro")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    static func export(_ report: RestoreReport) -> String {
        "\(ReportText.count(report.files, "file")) (\(ReportText.number(Int(report.bytes))) bytes) as of "
            + "\(report.moment.map(ReportCoding.text) ?? "the beginning"), from \(terminalText(report.backup)): "
            + "\(ReportText.number(report.downloaded)) fetched, \(ReportText.number(report.kept)) were there\n"
    }

    static func drill(_ report: DrillReport) -> String {
        let state = report.isSound ? "ok" : "NOT OK"
        return
            "\(state): \(ReportText.count(report.files, "file")) (\(ReportText.number(Int(report.bytes))) bytes) as of "
            + "\(report.moment.map(ReportCoding.text) ?? "the beginning") can be mounted after "
            + "\((report.seconds * 10).rounded() / 10) s; \(ReportText.number(report.missing.count)) objects missing, "
            + "\(ReportText.number(report.sampled)) files read (\(ReportText.number(Int(report.sampledBytes))) bytes), "
            + "\(ReportText.number(report.damaged.count)) of them damaged"
    }

    static func progress(_ progress: RestoreProgress) -> String {
        switch progress {
        case .journal(let segment, let count, let told):
            "reading the journal: part \(segment) of \(count), \(ReportText.number(told)) entries"
        case .comparing(let files): "comparing MAIN with the backup: \(ReportText.number(files)) files"
        case .fetching(let files, let bytes):
            "fetching: \(ReportText.count(files, "file")), \(ReportText.number(Int(bytes))) bytes"
        }
    }
}

/// The progress of a restore on standard error: one line on a terminal, a line every two seconds otherwise.
final class RestoreDisplay: Sendable {
    private static let pause = Duration.seconds(2)
    private static let pauseOnTerminal = Duration.milliseconds(100)

    private let last = Mutex<ContinuousClock.Instant?>(nil)
    private let begun = ContinuousClock.now

    func show(_ progress: RestoreProgress) {
        let isTerminal = StandardStreams.errorIsTerminal
        let now = ContinuousClock.now
        let isDue = last.withLock { last in
            guard now - (last ?? begun) >= (isTerminal ? Self.pauseOnTerminal : Self.pause) else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let text = RestoreText.progress(progress)
        StandardStreams.error(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n")
    }

    /// Leaves the line.
    func finish() {
        let wasShown = last.withLock { last in
            defer { last = nil }
            return last != nil
        }
        if wasShown, StandardStreams.errorIsTerminal { StandardStreams.error("\n") }
    }
}
