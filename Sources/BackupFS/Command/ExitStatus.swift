/// The exit statuses of `backupfs`, all of them.
enum ExitStatus: Int32 {
    /// Done.
    case done = 0
    /// It failed; one line on standard error says what and what to do.
    case failed = 1
    /// Wrong usage.
    case usage = 2
}
