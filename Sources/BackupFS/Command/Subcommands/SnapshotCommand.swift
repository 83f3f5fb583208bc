import ArgumentParser
import FileSystemCore

/// `backupfs snapshot PATH`.
struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Write all names into the backup anew, or list what can be restored.",
        discussion: """
            A mount does that by itself when it is due. A snapshot tells names, modes and times, not the bytes of files: those of \
            files that are deleted later go all the same.
            """)

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    @Flag(help: "Write none; list the moments that --at of restore can choose from.")
    var list = false

    @OptionGroup var output: JSONOption

    func run() throws {
        let client = try ControlClient(for: path)
        let reports = try asking { () throws(ControlFailure) in try client.snapshots(isNew: !list) }
        if output.json { return try StandardStreams.outputJSON(reports) }
        for report in reports {
            StandardStreams.outputLine(
                "\(report.moment.map(ReportCoding.text) ?? "at a time that is not known")  "
                    + "\(ReportText.number(Int(report.bytes))) bytes  \(report.isSnapshot ? "snapshot" : "latest segment")"
            )
        }
    }
}
