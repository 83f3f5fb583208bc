// The commands that read a backup and leave it whose it is.

import ArgumentParser
import FileSystemCore
import FoundationEssentials
import Glibc

/// `backupfs export DIR --backup URL`.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Copy everything in a backup into a plain directory, without a mount.",
        discussion: """
            Names, bytes, modes, owners, times, links and attributes; each file is compared with its checksum. The backup stays \
            whose it is. Run again it goes on where it was stopped: what is there and is the same is not fetched again.
            """)

    @Argument(help: "The directory that gets the copy; made if it is not there.")
    var directory: BytePath

    @OptionGroup var backup: BackupOptions

    @Option(
        help: ArgumentHelp("As it was at this time (2026-11-24T10:00:00Z), as far as that is there.", valueName: "time")
    )
    var at: String?

    @OptionGroup var output: JSONOption

    mutating func validate() throws {
        if let at, Moment(at) == nil { throw ValidationError("--at \(at) is no time like 2026-11-24T10:00:00Z") }
    }

    func run() throws {
        try ProcessHardening.hideSecrets()
        let place = try RestorePlace(directory, backup.settings.withAbsolutePaths, isCopy: true)
        let report = try place.export(at: at.flatMap { Moment($0)?.nanoseconds })
        if output.json {
            try StandardStreams.outputJSON(report)
        } else {
            StandardStreams.output(RestoreText.export(report))
        }
        for line in report.gaps + report.failures { StandardStreams.errorLine(terminalText(line)) }
        guard report.failures.isEmpty else {
            throw CommandError.failed("\(report.failures.count) things are not as they were: see above")
        }
    }
}

/// `backupfs drill --backup URL`.
struct DrillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Prove that a backup can be restored: made for cron.",
        discussion: """
            Builds the catalogue from the backup in a temporary directory, looks for the object of every file, reads some of \
            them, compares their checksums, and removes everything again. Ends with status 1 if anything is missing.
            """)

    @OptionGroup var backup: BackupOptions

    @Option(help: ArgumentHelp("Files to read.", valueName: "n"))
    var sample = 100

    @OptionGroup var output: JSONOption

    mutating func validate() throws {
        if sample < 0 { throw ValidationError("--sample \(sample) is no number of files") }
        if backup.backup == nil { throw ValidationError("--backup says which backup is to be tried") }
    }

    func run() throws {
        try ProcessHardening.hideSecrets()
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/backupfs-drill.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandError.failed("no directory can be made in \(parent): set TMPDIR")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let report = try RestorePlace(BytePath(path), backup.settings.withAbsolutePaths, isCopy: true).drill(
            sample: sample)
        if output.json {
            try StandardStreams.outputJSON(report)
        } else {
            StandardStreams.outputLine(RestoreText.drill(report))
        }
        for line in report.gaps + report.damaged + report.missing.prefix(20).map({ "missing: \($0)" }) {
            StandardStreams.errorLine(terminalText(line))
        }
        guard report.isSound else { throw CommandError.failed("the backup cannot be restored as it should be") }
    }
}
