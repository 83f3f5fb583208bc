// One mount from its preflight to its end. Everything in MAIN is opened before the mount, which may cover it.

import FileSystemCore
import FoundationEssentials
import FuseBinding
import Glibc
import Linux
import Logging
import ObjectStorage

/// The life of a daemon, or of a mount in the foreground.
struct MountSession {
    /// What the user is told before the mount serves.
    enum Message: Equatable {
        /// The mount works; something is not as it should be.
        case warning(String)
        /// Mounted: a line that says what and where.
        case ready(String)
    }

    /// How long programs that wait in a close are waited for at the end.
    private static let replyPatience = Duration.seconds(20)
    /// How long the uploads and the journal are waited for at the end.
    private static let drainPatience = Duration.seconds(30)

    private let request: MountRequest
    private let environment: [String: String]

    init(_ request: MountRequest, environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.request = request
        self.environment = environment
    }

    /// Mounts and serves until the end; blocks the process's own thread.
    func run(_ say: (Message) -> Void) throws(CommandError) {
        do throws(PreflightFailure) {
            let signals = try prepareProcess()
            let plan = try MountPlan(request, environment: environment)
            let state = try openState(plan, say)
            try serve(plan, state, signals, say)
        } catch {
            throw .preflight(error)
        }
    }

    private struct OpenState {
        let main: MainStorage
        let fileSystem: BackupFileSystem
        let logger: Logger
        let log: LogSink
    }

    private func prepareProcess() throws(PreflightFailure) -> StopSignals {
        do throws(SystemError) {
            try ProcessHardening.apply()
            return try StopSignals()
        } catch {
            throw .mount("the process could not be prepared (\(error))")
        }
    }

    /// Opens main storage, the log and the catalogue, and makes sure that backup storage is ours.
    ///
    /// A first mount that is refused leaves nothing behind in the main directory.
    private func openState(_ plan: MountPlan, _ say: (Message) -> Void) throws(PreflightFailure) -> OpenState {
        if !plan.hasCatalogue {
            let silent = Logger(label: "backupfs") { _ in SwiftLogNoOpLogHandler() }
            try Assembly.check(try Assembly.store(plan.settings, environment: environment, logger: silent))
        }
        let main = try Assembly.mainStorage(plan.mainText)
        do throws(PreflightFailure) {
            let log = try openLog(in: main)
            let logger = LineLogHandler.logger(log, level: request.logLevel.level)
            let store = try Assembly.knownStore(plan.settings, environment: environment, logger: logger)
            let fileSystem = try Assembly.fileSystem(
                main, store, plan.settings, syncsNames: request.syncsNames, sendsEarly: request.sendsEarly,
                logger: logger)
            if let warning = try Assembly.claim(fileSystem, isNew: request.isNewBucket) {
                logger.warning("mounting without backup storage", metadata: ["error": "\(warning)"])
                say(.warning(warning))
            }
            try Assembly.start(fileSystem)
            return OpenState(main: main, fileSystem: fileSystem, logger: logger, log: log)
        } catch {
            if !plan.hadState { NewState.discard(main) }
            throw error
        }
    }

    /// In the foreground standard error; in a daemon the file, which takes the runtime's last words as well.
    private func openLog(in main: MainStorage) throws(PreflightFailure) -> LogSink {
        do throws(SystemError) {
            let file: LogFile
            if request.readyDescriptor == nil {
                file = LogFile(try Descriptor(duplicating: STDERR_FILENO))
            } else {
                file = try LogFile(
                    directory: main.privateDirectory.number, name: NewState.logName, takesStandardError: true)
            }
            return LogSink(file, format: request.logFormat)
        } catch {
            throw .mount("the log could not be opened (\(error))")
        }
    }

    private func serve(
        _ plan: MountPlan, _ state: OpenState, _ signals: StopSignals, _ say: (Message) -> Void
    ) throws(PreflightFailure) {
        let fileSystem = state.fileSystem
        let logger = state.logger
        let control: ControlServer
        do throws(SystemError) {
            control = try ControlServer(
                directory: state.main.privateDirectory.number, fileSystem: fileSystem.operatorDesk, logger: logger)
            try control.start()
        } catch {
            throw .mount("the control socket could not be made (\(error))")
        }
        defer {
            control.stop()
            state.log.writeCounts(all: true)
        }
        let mount: FuseMount
        do throws(FuseMountError) {
            mount = try FuseMount(
                fileSystem: fileSystem, mountPoint: plan.mountPointText, source: plan.mainText, options: request.fuse,
                maximumThreads: request.maximumThreads, passesThrough: request.passesThrough, logger: logger)
        } catch {
            drain(fileSystem)
            throw .mount(error.description)
        }
        signals.arm(first: { mount.stop() }, second: { mount.unmount() })
        remember(plan.settings, in: state.main, logger, say)
        // A daemon must keep no other file system busy.
        chdir("/")
        logger.notice("mounted", metadata: ["main": "\(plan.mainText)", "mountpoint": "\(plan.mountPointText)"])
        let location = terminalText(plan.settings.backup ?? "")
        say(.ready("mounted \(plan.places.main) at \(plan.places.mountPoint), backed up to \(location)"))
        // In an outage nothing is waited for: what was written is in main, and the catalogue knows what lacks its backup.
        mount.serve(patience: Self.replyPatience) { !fileSystem.isBackupReachable }
        signals.disarm()
        drain(fileSystem)
    }

    private func drain(_ fileSystem: BackupFileSystem) {
        waitFor { await fileSystem.shutdown(timeout: Self.drainPatience) }
    }

    /// A mount works without its settings being remembered; the next one just needs them again.
    private func remember(
        _ settings: BackupSettings, in main: MainStorage, _ logger: Logger, _ say: (Message) -> Void
    ) {
        do throws(SystemError) {
            try ConfigurationFile.write(settings, directory: main.privateDirectory.number)
        } catch {
            logger.warning("the settings could not be remembered", metadata: ["error": "\(error)"])
            say(.warning("the settings could not be remembered (\(error)): give them again at the next mount"))
        }
    }
}
