/// The exit statuses of `backupfs`, all of them.
enum ExitStatus: Int32 {
    /// Done.
    case done = 0
    /// It failed; one line on standard error says what and what to do.
    case failed = 1
    /// Wrong usage.
    case usage = 2
    /// Somebody else is using the backup.
    case inUse = 3

    /// The exit status of each failure: the only place that chooses one.
    init(for error: CommandError) {
        switch error {
        case .wrongUsage: self = .usage
        case .inUse: self = .inUse
        case .preflight, .control, .failed: self = .failed
        }
    }
}

/// Why a command ends without having done what it should; `description` is the line that the user reads.
enum CommandError: Error, Equatable, CustomStringConvertible {
    /// The command line asks for something that does not exist or does not fit together.
    case wrongUsage(String)
    /// A mount cannot work here.
    case preflight(PreflightFailure)
    /// The running file system cannot be asked.
    case control(ControlFailure)
    /// It was tried and failed.
    case failed(String)
    /// Somebody else is using the backup.
    case inUse(String)

    var description: String {
        switch self {
        case .wrongUsage(let line), .failed(let line), .inUse(let line): terminalText(line)
        case .preflight(let failure): failure.description
        case .control(let failure): failure.description
        }
    }
}
