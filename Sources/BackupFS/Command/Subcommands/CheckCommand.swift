import ArgumentParser
import FileSystemCore
import FoundationEssentials
import Logging
import ObjectStorage

/// `backupfs check MAIN --backup URL`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Try whether it can work here: main directory, FUSE, backup storage, clock.",
        discussion: "Writes, reads and removes one small object below .backupfs/ in backup storage; mounts nothing.")

    @Argument(help: "The directory that holds, or is to hold, the files.")
    var main: BytePath

    @OptionGroup var backup: BackupOptions

    @OptionGroup var output: JSONOption

    func run() throws {
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
