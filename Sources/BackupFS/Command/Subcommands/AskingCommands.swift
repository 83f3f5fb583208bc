// The commands that ask a running daemon and show its answer.

import ArgumentParser
import FileSystemCore
import Glibc

/// `backupfs status PATH`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show whether everything is backed up, and what is not.")

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    @OptionGroup var output: JSONOption

    @Flag(help: "Show it again every second.")
    var watch = false

    func run() throws {
        let client = try ControlClient(for: path)
        repeat {
            let report = try asking { () throws(ControlFailure) in try client.status() }
            if output.json {
                try StandardStreams.outputJSON(report)
            } else {
                if watch { StandardStreams.output(StandardStreams.outputIsTerminal ? "\u{1B}[H\u{1B}[2J" : "\n") }
                StandardStreams.output(ReportText.status(report))
            }
            if watch { sleep(1) }
        } while watch
    }
}

/// `backupfs info FILE`.
struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show a file's row: its dates, storages, checksum and key in the bucket.")

    @Argument(help: "A file in a mount or in a main directory.")
    var file: BytePath

    @OptionGroup var output: JSONOption

    func run() throws {
        let client = try ControlClient(for: file)
        let report = try asking { () throws(ControlFailure) in try client.info() }
        if output.json {
            try StandardStreams.outputJSON(report)
        } else {
            StandardStreams.output(ReportText.info(report))
        }
    }
}

/// `backupfs leftovers PATH`.
struct LeftoversCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leftovers", abstract: "List the rows whose storages do not match, and why.")

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    @OptionGroup var output: JSONOption

    func run() throws {
        let client = try ControlClient(for: path)
        var list = ListOutput(isJSON: output.json)
        try asking { () throws(ControlFailure) in
            try client.leftovers { row in
                list.add(row, ReportText.leftover(row))
                return true
            }
        }
        list.finish(ReportText.leftovers(list.count))
    }
}

/// `backupfs clean PATH`.
struct CleanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clean", abstract: "Finish what leftovers need: upload again, remove again.")

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    func run() throws {
        let client = try ControlClient(for: path)
        var list = ListOutput(isJSON: false)
        let report = try asking { () throws(ControlFailure) in
            try client.clean(dryRun: dryRun) { step in list.add(step, ReportText.wouldClean(step)) }
        }
        list.finish(dryRun ? ReportText.wouldClean(list.count) : ReportText.cleaned(report))
        guard report.failed == 0 else {
            throw CommandError.failed("\(report.failed) leftovers could not be finished: see \"backupfs leftovers\"")
        }
    }
}

/// `backupfs sync PATH`.
struct SyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Wait until backup storage holds everything.")

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    func run() throws {
        try SyncCommand.wait(ControlClient(for: path))
    }

    /// Waits with a display of the progress.
    static func wait(_ client: ControlClient) throws(CommandError) {
        var display = ProgressDisplay()
        defer { display.finish() }
        try SyncWait(client).run { display.show($0) }
    }
}

/// A question to the daemon whose failure is the command's.
func asking<Value>(_ question: () throws(ControlFailure) -> Value) throws(CommandError) -> Value {
    do throws(ControlFailure) {
        return try question()
    } catch {
        throw .control(error)
    }
}
