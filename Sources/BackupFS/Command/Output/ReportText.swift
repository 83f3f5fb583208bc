// The reports as people read them. Everything that comes from names and servers passes `terminalText`.

import FileSystemCore
import FoundationEssentials

/// Reports as text for people.
enum ReportText {
    /// How a file system is doing.
    static func status(_ report: StatusReport) -> String {
        let backup = report.backup
        let pending = report.pending
        var rows = [
            ("main", terminalText(report.place.main)),
            ("mounted at", report.place.mountpoint.map(terminalText) ?? "not mounted"),
            ("backup", "\(terminalText(backup.url)) (\(backup.reachable ? "reachable" : "NOT reachable"))"),
            (
                "resources",
                "\(number(report.resources.created)) created, \(number(report.resources.creating)) creating, "
                    + "\(number(report.resources.deleted)) deleted"
            ),
            (
                "still to do",
                pending.uploads + pending.removals + pending.journal == 0
                    ? "nothing"
                    : remaining(uploads: pending.uploads, removals: pending.removals, journal: pending.journal)
            ),
            ("leftovers", number(report.leftovers)),
            ("set aside", report.aside == 0 ? "nothing" : "\(number(report.aside)): see \"backupfs aside\""),
            ("recovered", "\(count(report.recoveries.done, "file")), \(number(report.recoveries.failed)) failed"),
        ]
        rows.append(("passthrough", passthrough(report.passthrough)))
        if report.adoption.files > 0 {
            let adoption = report.adoption
            rows.append(("adopted", "\(number(adoption.backedUp)) of \(count(adoption.files, "file")) backed up"))
        }
        if let objects = report.objects, let end = objects.finishedAt {
            rows.append(("bucket", "\(self.objects(objects)) on \(ReportCoding.text(end))"))
        }
        if let failures = failures(report.failures) { rows.append(("failures", failures)) }
        if let takeover = backup.takenOver { rows.append(("TAKEN OVER", terminalText(takeover))) }
        if let error = backup.lastError { rows.append(("last error", terminalText(error))) }
        return table(rows) + summary(report) + "\n"
    }

    /// The row of one file.
    static func info(_ report: ResourceReport) -> String {
        table([
            ("file", terminalText(report.key)),
            ("status", report.status.rawValue),
            ("created", ReportCoding.text(report.createdAt)),
            ("deleted", report.deletedAt.map(ReportCoding.text) ?? "no"),
            ("stored in", stored(report.stored)),
            ("size", "\(number(Int(report.size))) bytes"),
            ("version", "\(report.version)"),
            ("sha256", report.sha256 ?? "not known yet"),
            ("backup key", report.backupKey.map(terminalText) ?? "none"),
            ("last error", report.lastError.map(terminalText) ?? "none"),
        ])
    }

    /// A row whose storages do not match, two lines at most.
    static func leftover(_ row: LeftoverReport) -> String {
        let error = row.lastError.map { "\n    last error: \(terminalText($0))" } ?? ""
        return "\(terminalText(row.key)): \(terminalText(row.reason)) (stored in \(stored(row.stored)), since "
            + "\(ReportCoding.text(row.since)))\(error)\n"
    }

    /// The end of a list of such rows.
    static func leftovers(_ number: Int) -> String { number == 0 ? "no leftovers\n" : count(number, "leftover") + "\n" }

    /// Something that was set aside.
    static func aside(_ row: AsideReport) -> String {
        "\(row.id)  \(terminalText(row.key)): \(terminalText(row.reason)) (since \(ReportCoding.text(row.since)))\n"
    }

    /// The end of a list of it.
    static func aside(_ number: Int) -> String {
        number == 0 ? "nothing is set aside\n" : count(number, "thing") + " set aside\n"
    }

    /// What was brought back.
    static func broughtBack(_ row: AsideReport) -> String { "\(row.id) is back as \(terminalText(row.key))\n" }

    /// How much was removed for good.
    static func discarded(_ number: Int) -> String { count(number, "thing") + " removed for good\n" }

    /// What `clean` did.
    static func cleaned(_ report: CleanReport) -> String {
        "\(number(report.uploaded)) uploaded, \(number(report.removed)) removed, "
            + "\(number(report.failed)) failed, \(number(report.remaining)) remaining\n"
    }

    /// One step of what `clean` would do.
    static func wouldClean(_ step: CleanReport.Step) -> String {
        "would \(step.action.rawValue) \(terminalText(step.key)): \(terminalText(step.reason))\n"
    }

    /// The end of what `clean` would do.
    static func wouldClean(_ number: Int) -> String { "\(count(number, "leftover")), nothing was done\n" }

    /// An object that is not as the catalogue says.
    static func finding(_ finding: ObjectReport.Finding) -> String {
        let file = finding.key.map { " of \(terminalText($0))" } ?? ""
        return "\(finding.problem.rawValue): \(terminalText(finding.object))\(file): \(finding.action)\n"
    }

    /// How a comparison of the bucket with the catalogue came out.
    static func objects(_ report: ObjectReport) -> String {
        "\(count(report.objects, "object")), \(number(report.missing)) missing, \(number(report.damaged)) damaged, "
            + "\(number(report.unknown)) unknown"
    }

    /// What is still to do, in words: `2 uploads, 1 removal, 14 journal entries`.
    static func remaining(uploads: Int, removals: Int = 0, journal: Int) -> String {
        let parts = [
            (uploads, "upload", "uploads"), (removals, "removal", "removals"),
            (journal, "journal entry", "journal entries"),
        ]
        let shown = parts.filter { $0.0 > 0 }.map { "\(number($0.0)) \($0.0 == 1 ? $0.1 : $0.2)" }
        return shown.isEmpty ? "nothing" : shown.joined(separator: ", ")
    }

    /// What failed since the mount, in words; nil if nothing did.
    private static func failures(_ failures: StatusReport.Failures) -> String? {
        let parts = [
            (failures.uploads, "uploads"), (failures.removals, "removals"), (failures.setAside, "set aside"),
            (failures.catalogue, "catalogue"), (failures.journal, "journal"), (failures.changesLost, "changes lost"),
        ]
        let shown = parts.filter { $0.0 > 0 }.map { "\(number($0.0)) \($0.1)" }
        return shown.isEmpty ? nil : shown.joined(separator: ", ") + " since the mount"
    }

    private static func passthrough(_ report: StatusReport.Passthrough) -> String {
        report.state == .on
            ? "on, \(count(report.files, "file")) at present" : "off: \(terminalText(report.reason ?? "not known why"))"
    }

    private static func summary(_ report: StatusReport) -> String {
        let missing = report.resources.creating + report.pending.uploads
        let isShipped = report.pending.journal == 0
        if missing == 0, isShipped, report.leftovers == 0 { return "Everything is backed up." }
        if report.leftovers > 0 { return "Storages do not match: see \"backupfs leftovers\"." }
        return missing > 0
            ? "Not everything is backed up yet." : "All files are backed up, some names are on their way."
    }

    private static func stored(_ stored: StoredIn) -> String {
        switch (stored.main, stored.backup) {
        case (true, true): "main and backup"
        case (true, false): "main"
        case (false, true): "backup"
        case (false, false): "no storage"
        }
    }

    private static func table(_ rows: [(String, String)]) -> String {
        let width = (rows.map(\.0.count).max() ?? 0) + 2
        return rows.map { $0 + String(repeating: " ", count: width - $0.count) + $1 + "\n" }.joined()
    }

    static func count(_ value: Int, _ noun: String) -> String {
        "\(number(value)) \(noun)\(value == 1 ? "" : "s")"
    }

    /// A number with commas between its thousands.
    static func number(_ value: Int) -> String {
        var text = ""
        for (index, digit) in String(value.magnitude).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }
}
