import ArgumentParser
import FileSystemCore
import Glibc
import Linux

/// `backupfs mount MAIN MOUNTPOINT`.
struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount MAIN at MOUNTPOINT; both may be the same directory.",
        discussion: """
            The first mount of MAIN needs --backup and remembers it with the other settings of backup storage in \
            MAIN/.backupfs/config.json; secrets are never remembered.
            """)

    @Argument(help: "The directory that holds the files.")
    var main: BytePath

    @Argument(help: ArgumentHelp("Where the file system appears.", valueName: "mountpoint"))
    var mountPoint: BytePath

    @OptionGroup var backup: BackupOptions

    @Option(
        help: ArgumentHelp(
            "How long a close may wait for the backup (60, 90s, 2m); large files may take longer.",
            valueName: "duration"))
    var closeTimeout: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "With the backup known to be down, let closes fail at once, wait for --close-timeout, or without limit.",
            valueName: "fail|timeout|wait"))
    var whenBackupIsDown: WhenBackupIsDown?

    @Flag(help: "The bucket has no backup yet although MAIN had one: it was emptied, or is another one. Fill it.")
    var newBucket = false

    @Flag(name: [.customShort("f"), .long], help: "Stay in the foreground and log to standard error.")
    var foreground = false

    @Option(help: "The least important messages to log.")
    var logLevel: LogLevel?

    @Option(help: "The form of the log.")
    var logFormat: LogFormat?

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "Mount options: those above by name, and allow_other, ro, noatime, noexec, dirsync, early_uploads, nopassthrough, max_threads=N and others.",
            valueName: "name[=value],..."))
    var options: [String] = []

    @Flag(help: .hidden)
    var fromFstab = false

    @Option(help: .hidden)
    var readyDescriptor: Int32?

    /// What the command line asks for; a long option wins over its `-o` form.
    func request() throws(CommandError) -> MountRequest {
        let list = try MountOptionList(options)
        // mount.fuse3(8) adds these two on its own when root mounts: nobody has asked for them.
        let fuse = fromFstab ? list.fuse.filter { $0 != "suid" && $0 != "dev" } : list.fuse
        var given = backup.settings
        given.closeTimeout = closeTimeout
        given.whenBackupIsDown = whenBackupIsDown
        return MountRequest(
            main: main, mountPoint: mountPoint, given: given.filled(from: list.settings).withAbsolutePaths,
            isNewBucket: newBucket, foreground: foreground, logLevel: logLevel ?? list.logLevel ?? .info,
            logFormat: logFormat ?? list.logFormat ?? .text, syncsNames: list.syncsNames, sendsEarly: list.sendsEarly,
            passesThrough: list.passesThrough, fuse: fuse,
            maximumThreads: list.maximumThreads ?? MountRequest.defaultThreads, readyDescriptor: readyDescriptor)
    }

    func run() throws {
        let request = try request()
        if let descriptor = request.readyDescriptor {
            runDaemon(request, Descriptor(descriptor))
        } else if request.foreground {
            try MountSession(request).run { message in
                switch message {
                case .warning(let text): StandardStreams.errorLine("warning: \(text)")
                case .ready(let line): StandardStreams.outputLine(line)
                }
            }
        } else {
            let arguments = FstabForm.normalised(RawArguments.ofProcess()).dropFirst().map(RawArguments.bytes(of:))
            try DaemonLauncher.launch(program: DaemonLauncher.ownProgram(), arguments: Array(arguments)) { warning in
                StandardStreams.errorLine("warning: \(warning)")
            }.get()
        }
    }

    /// The daemon's life; its failures before the mount are the caller's to show.
    private func runDaemon(_ request: MountRequest, _ caller: Descriptor) {
        let channel = ReadyChannel(caller)
        do throws(CommandError) {
            try MountSession(request).run { message in
                switch message {
                case .warning(let text): channel.send(.warning(text))
                case .ready: channel.finish(.ready)
                }
            }
        } catch {
            channel.finish(.failed(status: ExitStatus(for: error).rawValue, line: error.description))
            Entry.end(ExitStatus(for: error))
        }
    }
}
