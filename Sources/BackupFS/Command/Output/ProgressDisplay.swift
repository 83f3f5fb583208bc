import FileSystemCore

/// The progress of a wait on standard error: a bar on a terminal, plain lines otherwise.
struct ProgressDisplay {
    /// How long a plain line stands before the next one.
    private static let pause = Duration.seconds(2)

    private let isTerminal: Bool
    private let write: (String) -> Void
    private var most = 0
    private var shown: SyncProgress?
    private var lastLine: ContinuousClock.Instant?

    init(
        isTerminal: Bool = StandardStreams.errorIsTerminal, write: @escaping (String) -> Void = StandardStreams.error
    ) {
        self.isTerminal = isTerminal
        self.write = write
    }

    /// Shows what is still waited for.
    mutating func show(_ progress: SyncProgress, now: ContinuousClock.Instant = .now) {
        guard progress != shown, progress.remaining > 0 || shown != nil else { return }
        most = max(most, progress.remaining)
        if isTerminal {
            write("\r\u{1B}[K" + Self.bar(progress, most: most))
        } else {
            if progress.remaining > 0, let lastLine, lastLine.duration(to: now) < Self.pause { return }
            lastLine = now
            write("waiting for the backup: \(Self.text(progress))\n")
        }
        shown = progress
    }

    /// Leaves the bar's line.
    mutating func finish() {
        if isTerminal, shown != nil { write("\n") }
        shown = nil
    }

    /// `[#####     ] 2 uploads left`, the bar relative to the most that was left.
    static func bar(_ progress: SyncProgress, most: Int) -> String {
        let width = 30
        let done = most == 0 ? width : width * (most - progress.remaining) / most
        return "[" + String(repeating: "#", count: done) + String(repeating: " ", count: width - done) + "] "
            + text(progress)
    }

    private static func text(_ progress: SyncProgress) -> String {
        progress.remaining == 0
            ? "done" : ReportText.remaining(uploads: progress.uploads, journal: progress.journal) + " left"
    }
}
