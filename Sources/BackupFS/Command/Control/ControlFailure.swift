import Linux

/// Why the running file system could not be asked or did not answer.
enum ControlFailure: Error, Equatable, CustomStringConvertible {
    /// The path is in no mount and in no main directory.
    case notBackupFS(BytePath)
    /// The main directory is there, but no daemon serves it.
    case notRunning(main: BytePath)
    /// The mount is there, but its daemon has gone.
    case deadMount(BytePath)
    /// The mount is another user's.
    case notPermitted(BytePath)
    /// The path cannot be looked up.
    case path(BytePath, SystemError)
    /// The socket cannot be reached for another reason.
    case unreachable(SystemError)
    /// The process behind the socket is not one to be trusted: it runs as this user.
    case foreignDaemon(uid: UInt32)
    /// The daemon ended or said nothing while it was asked.
    case interrupted(LineChannel.Failure)
    /// The daemon said something that this version does not understand.
    case incomprehensible
    /// The daemon answered that it failed; its line.
    case refused(String)

    var description: String {
        switch self {
        case .notBackupFS(let path):
            "\(path) is neither in a BackupFS mount nor in a main directory: mount one with "
                + "\"backupfs mount MAIN MOUNTPOINT --backup URL\""
        case .notRunning(let main):
            "\(main) is not mounted: mount it with \"backupfs mount \(main) MOUNTPOINT\""
        case .deadMount(let path):
            "the daemon of \(path) has gone: run \"backupfs unmount \(path)\", then mount it again"
        case .notPermitted(let path):
            "the mount of \(path) belongs to another user: ask as that user or as root"
        case .path(let path, let error): "\(path): \(error.reason)"
        case .unreachable(let error): "the mount cannot be asked (\(error)): try again, or look at its log"
        case .foreignDaemon(let uid):
            "the process that answers for this path runs as uid \(uid), neither as you nor as root: not asked"
        case .interrupted(.closed): "the mount stopped while it was asked: look at its log, then try again"
        case .interrupted(.timedOut): "the mount does not answer: look at its log"
        case .interrupted(.tooLong), .incomprehensible:
            "the mount answered in a way this version of backupfs does not know: use the version that mounted it"
        case .refused(let line): terminalText(line)
        }
    }
}
