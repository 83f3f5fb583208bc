/// What the command line of `mount` asks for, before anything was looked at.
struct MountRequest: Equatable, Sendable {
    /// The main directory as given.
    var main: BytePath
    /// The mount point as given.
    var mountPoint: BytePath
    /// The settings that were given.
    var given = BackupSettings()
    /// Whether the backup is to begin anew in a bucket that has none.
    var isNewBucket = false
    /// Whether to stay in the foreground.
    var foreground = false
    /// The level below which messages are not logged.
    var logLevel = LogLevel.info
    /// The form of the log.
    var logFormat = LogFormat.text
    /// Whether each change of a name or an attribute is on the disk when its call returns.
    var syncsNames = false
    /// Whether large files are sent while they are written.
    var sendsEarly = false
    /// Whether the kernel may read main copies itself.
    var passesThrough = true
    /// What goes on to the kernel and libfuse.
    var fuse: [String] = []
    /// How many threads answer the kernel.
    var maximumThreads = Self.defaultThreads
    /// Where the daemon tells the command that started it how it went; nil in the foreground.
    var readyDescriptor: Int32?

    /// How many threads answer the kernel if nothing is said; a wait for backup storage holds none of them.
    static let defaultThreads = 10
}
