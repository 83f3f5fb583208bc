import ArgumentParser
import FileSystemCore

/// `backupfs aside PATH`.
struct AsideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aside", abstract: "List what was moved out of the way in main storage, and bring it back.",
        discussion: """
            Nothing that was set aside is ever removed by itself. It lies in .backupfs/aside/NUMBER/ of the main directory, \
            under the path it had.
            """)

    @Argument(help: "A main directory, a mount point, or anything beneath one.")
    var path: BytePath

    @Flag(help: "List it, with the numbers (this is what happens if nothing else is asked for).")
    var list = false

    @Option(help: "Bring this number back, beside what has its name by now. May be given again.")
    var restore: [Int64] = []

    @Option(help: "Remove this number for good. May be given again.")
    var discard: [Int64] = []

    @OptionGroup var output: JSONOption

    func validate() throws {
        if list, !restore.isEmpty || !discard.isEmpty {
            throw ValidationError("--list goes with neither --restore nor --discard")
        }
        if let both = restore.first(where: discard.contains) {
            throw ValidationError("\(both) can be brought back or discarded, not both")
        }
    }

    func run() throws {
        let client = try ControlClient(for: path)
        guard !restore.isEmpty || !discard.isEmpty else { return try show(client) }
        var list = ListOutput(isJSON: output.json)
        for id in restore {
            let report = try asking { () throws(ControlFailure) in try client.restoreAside(id) }
            list.add(report, ReportText.broughtBack(report))
        }
        for id in discard {
            try asking { () throws(ControlFailure) in try client.discardAside(id) }
        }
        list.finish(discard.isEmpty ? "" : ReportText.discarded(discard.count))
    }

    private func show(_ client: ControlClient) throws {
        var list = ListOutput(isJSON: output.json)
        try asking { () throws(ControlFailure) in
            try client.aside { row in
                list.add(row, ReportText.aside(row))
                return true
            }
        }
        list.finish(ReportText.aside(list.count))
    }
}
