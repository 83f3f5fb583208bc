/// What an operator can set.
package struct FileSystemSettings: Sendable {
    /// What calls that need backup storage do while it is down.
    package enum WhenDown: Sendable {
        /// They wait for `closeTimeout`, then fail.
        case waitForTimeout
        /// Once a call has waited in vain, closes fail at once until the background finds that it is back.
        case fail
        /// They wait until it is back, however long that takes.
        case wait
    }

    /// Ten years: longer than a machine is up, and no clock's arithmetic overflows.
    static let forEver = Duration.seconds(315_360_000)

    /// How long a close may wait for the bucket, whatever its size.
    package var closeTimeout: Duration
    /// Bytes a second that a large file's backup may count on: a close waits that much longer.
    package var minimumRate: Int64
    /// Uploads and removals that the background does at once.
    package var backgroundTransfers: Int
    /// What a close does while backup storage is down.
    package var whenDown: WhenDown
    /// Files that may be open at once; more are ENFILE.
    package var mostOpenFiles: Int
    /// How long after one comparison of the bucket with the catalogue began the next one begins.
    package var scrubInterval: Duration
    /// Whether each change of a name or an attribute survives a power cut when its call returns; if not, it does within a
    /// second, or with the next close (I5).
    package var syncsNames: Bool
    /// Whether large files are sent while they are written; what their objects say of mode, owner and time is then of the moment
    /// when that began.
    package var sendsEarly: Bool

    package init(
        closeTimeout: Duration = .seconds(60), minimumRate: Int64 = 1 << 20, backgroundTransfers: Int = 8,
        whenDown: WhenDown = .waitForTimeout, mostOpenFiles: Int = .max,
        scrubInterval: Duration = .seconds(3 * 86_400), syncsNames: Bool = false, sendsEarly: Bool = false
    ) {
        self.closeTimeout = closeTimeout
        self.minimumRate = minimumRate
        self.backgroundTransfers = max(1, backgroundTransfers)
        self.whenDown = whenDown
        self.mostOpenFiles = mostOpenFiles
        self.scrubInterval = scrubInterval
        self.syncsNames = syncsNames
        self.sendsEarly = sendsEarly
    }

    /// When a call on a file of `size` bytes that waits for backup storage gives up.
    func deadline(size: Int64) -> ContinuousClock.Instant {
        if whenDown == .wait { return .now + Self.forEver }
        return .now + closeTimeout + .milliseconds(size / max(1, minimumRate / 1000))
    }
}
