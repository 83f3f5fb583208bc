import ArgumentParser
import FileSystemCore
import FoundationEssentials
import Logging
import ObjectStorage

/// `backupfs check MAIN --backup URL`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Try whether it can work here: main directory, FUSE, backup storage, clock.",
        discussion: """
            Writes, reads and removes one small object below .backupfs/ in backup storage; mounts nothing.

            With --objects a running mount compares the whole bucket with its catalogue: objects that are missing, that have \
            another length, or that it does not know. What main has of the lost ones is uploaded again.
            """)

    @Argument(help: "The directory that holds, or is to hold, the files; with --objects also anything in a mount.")
    var main: BytePath

    @Flag(help: "Compare the bucket of a running mount with its catalogue.")
    var objects = false

    @OptionGroup var backup: BackupOptions

    @OptionGroup var output: JSONOption

    func run() throws {
        if objects { return try compareObjects() }
        try ProcessHardening.hideSecrets()
        let checks = EnvironmentCheck(main: main, given: backup.settings.withAbsolutePaths).run()
        let failed = checks.filter { !$0.ok }.count
        if output.json {
            try StandardStreams.outputJSON(CheckReport(ok: failed == 0, checks: checks))
        } else {
            for check in checks {
                StandardStreams.outputLine(
                    "\(check.ok ? "ok    " : "failed") \(check.name): \(terminalText(check.detail))")
            }
        }
        guard failed == 0 else { throw CommandError.failed("\(failed) of \(checks.count) checks failed") }
    }
}

extension CheckCommand {
    private func compareObjects() throws {
        let client = try ControlClient(for: main)
        var list = ListOutput(isJSON: output.json)
        let report = try asking { () throws(ControlFailure) in
            try client.objects { finding in list.add(finding, ReportText.finding(finding)) }
        }
        list.finish(ReportText.objects(report) + "\n")
        guard report.isSound else {
            throw CommandError.failed(
                "backup storage lost \(report.missing + report.damaged) objects: see \"backupfs leftovers\"")
        }
    }
}

/// The answer of `check --json`.
struct CheckReport: Codable, Equatable {
    /// Whether everything is as it must be.
    var ok: Bool
    /// Each check in its order.
    var checks: [Check]

    /// One thing that was tried.
    struct Check: Codable, Equatable {
        /// What: `main`, `fuse`, `configuration`, `backup`, `prefix` if other backups are in the way, `objects`, `proof`, `region` and `host` if they were found out, `clock`.
        var name: String
        /// Whether it works.
        var ok: Bool
        /// What was found.
        var detail: String
    }
}
