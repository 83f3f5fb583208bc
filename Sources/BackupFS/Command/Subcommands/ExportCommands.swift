// The commands that read a backup and leave it whose it is.

import ArgumentParser
import FileSystemCore
import Linux

/// `backupfs export DIR --backup URL`, or `backupfs export --tar FILE --backup URL`.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Copy everything in a backup into a plain directory or a tar archive, without a mount.",
        discussion: """
            Names, bytes, modes, owners, times, links and attributes; each file is compared with its checksum. The backup stays \
            whose it is. Into a directory it can be run again, and goes on where it was stopped: what is there and is the same \
            is not fetched again.

            With --tar the archive is written while files are fetched: --tar - | ssh HOST tar -xp --xattrs. What is on its way \
            is in TMPDIR: up to 256 MiB, or one larger file. What cannot be had is left out, and the exit status is 1.
            """)

    @Argument(help: "The directory that gets the copy; made if it is not there.")
    var directory: BytePath?

    @OptionGroup var backup: BackupOptions

    @Option(help: ArgumentHelp("Write a tar archive instead; - is standard output.", valueName: "file"))
    var tar: BytePath?

    @Option(
        help: ArgumentHelp("As it was at this time (2026-11-24T10:00:00Z), as far as that is there.", valueName: "time")
    )
    var at: String?

    @Option(help: ArgumentHelp("Only what has a path that matches ('2024/*.jpg').", valueName: "glob"))
    var only: String?

    @OptionGroup var output: JSONOption

    mutating func validate() throws {
        if let at, Moment(at) == nil { throw ValidationError("--at \(at) is no time like 2026-11-24T10:00:00Z") }
        guard (directory == nil) != (tar == nil) else {
            throw ValidationError("say where the copy goes: a directory, or --tar FILE")
        }
        if isStreamed, output.json { throw ValidationError("--json and --tar - both want standard output") }
        if tar != nil, backup.backup == nil { throw ValidationError("--backup says which backup is to be copied") }
    }

    /// Whether standard output is the archive.
    private var isStreamed: Bool { tar == BytePath("-") }

    func run() throws {
        try ProcessHardening.hideSecrets()
        let request = CopyRequest(time: at.flatMap { Moment($0)?.nanoseconds }, pattern: only)
        let report: RestoreReport
        if let tar {
            report = try ArchiveFile(tar).write { file in
                try TemporaryPlace.run { place in
                    try RestorePlace(place, backup.settings.withAbsolutePaths, isCopy: true)
                        .archive(to: file, request)
                }
            }
        } else {
            report = try RestorePlace(directory ?? BytePath(""), backup.settings.withAbsolutePaths, isCopy: true)
                .export(request)
        }
        if output.json {
            try StandardStreams.outputJSON(report)
        } else if isStreamed {
            StandardStreams.error(RestoreText.export(report))
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
        let report = try TemporaryPlace.run { place in
            try RestorePlace(place, backup.settings.withAbsolutePaths, isCopy: true).drill(sample: sample)
        }
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
