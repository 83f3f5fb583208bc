import ArgumentParser
import FileSystemCore
import FoundationEssentials
import Glibc
import Linux
import Logging
import ObjectStorage

/// `backupfs restore MAIN --backup URL`.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a main directory from its backup alone, ready to be mounted.",
        discussion: """
            The catalogue comes from the journal in the backup. Files stay there until they are read through the mount, or are \
            fetched now with --download. Files that MAIN already has are kept if they are what the backup has, and set aside if \
            not. From then on the backup is this MAIN's: a mount elsewhere can only read. Stopped, it is run again.

            Ends with status 3 if somebody has written to the backup within the last minute, unless --take-over is given.
            """)

    @Argument(help: "The directory that is to hold the files; made if it is not there.")
    var main: BytePath

    @OptionGroup var backup: BackupOptions

    @Option(
        help: ArgumentHelp("As it was at this time (2026-11-24T10:00:00Z), as far as that is there.", valueName: "time")
    )
    var at: String?

    @Flag(help: "Fetch the files now.")
    var download = false

    @Option(help: ArgumentHelp("With --download: only files whose path matches ('2024/*.jpg').", valueName: "glob"))
    var only: String?

    @Flag(help: "Also take it from a mount that seems to be using it.")
    var takeOver = false

    @Flag(help: "Say what there is, and change nothing.")
    var dryRun = false

    @OptionGroup var output: JSONOption

    mutating func validate() throws {
        if let at, Moment(at) == nil { throw ValidationError("--at \(at) is no time like 2026-11-24T10:00:00Z") }
        if only != nil, !download { throw ValidationError("--only goes with --download") }
    }

    func run() throws {
        try ProcessHardening.hideSecrets()
        let place = try RestorePlace(main, backup.settings.withAbsolutePaths)
        var request = Restorer.Request()
        request.time = at.flatMap { Moment($0)?.nanoseconds }
        request.takesOver = takeOver
        request.isDryRun = dryRun
        var report = try place.restore(request)
        if download, !dryRun { try place.download(only, into: &report) }
        if output.json {
            try StandardStreams.outputJSON(report)
        } else {
            StandardStreams.output(RestoreText.report(report, main: main, isDryRun: dryRun))
        }
        for line in report.gaps + report.failures { StandardStreams.errorLine(terminalText(line)) }
        guard report.failures.isEmpty else {
            throw CommandError.failed("\(report.failures.count) files could not be fetched")
        }
    }
}

/// A point in time as a command line gives it.
struct Moment {
    let nanoseconds: Int64

    /// ISO 8601, in UTC or with an offset.
    init?(_ text: String) {
        guard let date = try? Date(text, strategy: .iso8601) else { return nil }
        nanoseconds = Int64(date.timeIntervalSince1970 * 1e9)
    }
}

/// Where a restore goes, and what from.
struct RestorePlace {
    private let main: BytePath
    private let settings: BackupSettings
    private let storage: MainStorage
    private let store: any ObjectStore
    private let display = RestoreDisplay()
    private let logger: Logger

    /// `isCopy`: what is made is no main directory, and the place may be none.
    init(_ given: BytePath, _ options: BackupSettings, isCopy: Bool = false) throws {
        let absolute = given.absolute()
        let isMade = absolute.withCString { mkdir($0, 0o755) } == 0
        let environment = ProcessInfo.processInfo.environment
        do throws(PreflightFailure) {
            let mounts = (try? MountTable.current()) ?? MountTable(entries: [])
            let places = try Preflight(main: absolute, mountPoint: absolute, mounts: mounts)
            main = places.main
            let remembered = try ConfigurationFile.read(main: places.main)
            if isCopy, remembered != nil { throw PreflightFailure.copyIntoMain(places.main) }
            settings = try BackupSettings.resolve(
                given: options, environment: environment, remembered: remembered, main: places.main)
            try places.checkBackup(settings.backup ?? "")
            logger = Logger(label: "backupfs") { _ in SwiftLogNoOpLogHandler() }
            store = try Assembly.store(settings, environment: environment, logger: logger)
            try Assembly.check(store)
            storage = try Assembly.mainStorage(try places.mainText)
        } catch {
            if isMade { _ = absolute.withCString { rmdir($0) } }
            throw CommandError.preflight(error)
        }
    }

    func restore(_ request: Restorer.Request) throws -> RestoreReport {
        let (display, storage, store, logger) = (display, storage, store, logger)
        let restorer = Restorer(main: storage, store: store, logger: logger) { display.show($0) }
        defer { display.finish() }
        do throws(RestoreError) {
            let report = try waitFor { () async throws(RestoreError) in try await restorer.restore(request) }
            if !request.isDryRun { remember() }
            return report
        } catch {
            if case .inUse = error { throw CommandError.inUse("\(error)") }
            throw CommandError.failed("\(error)")
        }
    }

    /// Keeps the settings for the mount.
    private func remember() {
        do throws(SystemError) {
            try ConfigurationFile.write(settings, directory: storage.privateDirectory.number)
        } catch {
            StandardStreams.error(
                "\(main) is restored, but its settings cannot be kept there (\(errnoText(error.code))): mount it with --backup"
            )
        }
    }

    /// Makes a plain copy; what is BackupFS's own in the directory goes at the end.
    func export(_ request: CopyRequest) throws -> RestoreReport {
        let report = try copy { exporter, settings async throws(RestoreError) in
            try await exporter.export(at: request.time, matching: request.pattern, settings)
        }
        if report.failures.isEmpty, report.setAside == 0 { removeState() }
        return report
    }

    /// Writes an archive of it.
    func archive(to file: Descriptor, _ request: CopyRequest) throws -> RestoreReport {
        try copy { exporter, settings async throws(RestoreError) in
            try await exporter.archive(to: file, at: request.time, matching: request.pattern, settings)
        }
    }

    func drill(sample: Int) throws -> DrillReport {
        try copy { exporter, settings async throws(RestoreError) in
            try await exporter.drill(sample: sample, settings)
        }
    }

    private func copy<Report: Sendable>(
        _ body: @escaping @Sendable (Exporter, FileSystemSettings) async throws(RestoreError) -> Report
    ) throws -> Report {
        let (display, settings) = (display, Assembly.coreSettings(settings))
        let exporter = Exporter(main: storage, store: store, logger: logger) { display.show($0) }
        defer { display.finish() }
        do throws(RestoreError) {
            return try waitFor { () async throws(RestoreError) in try await body(exporter, settings) }
        } catch {
            throw CommandError.failed("\(error)")
        }
    }

    private func removeState() {
        let state = main.appending(ControlProtocol.stateDirectoryName)
        // The directory's own time is what was restored, not that of this removal.
        var status = stat()
        let isKnown = fstat(storage.root.number, &status) == 0
        do {
            try FileManager.default.removeItem(atPath: "\(state)")
        } catch {
            StandardStreams.error("\(state) is not needed any more and could not be removed: remove it")
        }
        if isKnown { futimens(storage.root.number, [status.st_atim, status.st_mtim]) }
    }

    func download(_ pattern: String?, into report: inout RestoreReport) throws {
        let display = display
        defer { display.finish() }
        do throws(PreflightFailure) {
            let system = try Assembly.fileSystem(storage, store, settings, logger: logger)
            let outcome = waitFor { () async in await system.download(matching: pattern) { display.show($0) } }
            (report.downloaded, report.failures) = (outcome.files, outcome.failures)
        } catch {
            throw CommandError.preflight(error)
        }
    }
}
