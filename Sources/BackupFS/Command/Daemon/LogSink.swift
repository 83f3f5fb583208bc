// What goes into the log of what is said. A store that refuses a thousand removals again and again is worth some lines a
// minute, not all of them.

import Dispatch
import FoundationEssentials
import Logging
import Synchronization

/// Writes events as lines; of those that say the same within a minute the first few, and then how many there were.
final class LogSink: Sendable {
    /// How many lines with the same level and message are written within `window`.
    static let shown = 10
    /// The time that a count is about.
    static let window = Duration.seconds(60)

    private struct Kind: Hashable {
        var level: Logger.Level
        var message: String
    }

    private struct Run {
        var start: ContinuousClock.Instant
        var shown = 0
        var hidden = 0
        /// The facts of the last one that was not shown.
        var last: [String: String] = [:]
    }

    /// Guards what was said within the last minute; taken alone.
    private let runs = Mutex<[Kind: Run]>([:])
    private let file: LogFile
    private let format: LogFormat
    private let now: @Sendable () -> ContinuousClock.Instant

    init(_ file: LogFile, format: LogFormat, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.file = file
        self.format = format
        self.now = now
    }

    /// Writes one event, or counts it.
    ///
    /// Who asks for debugging wants each of those.
    func log(_ level: Logger.Level, _ message: String, _ facts: [String: String]) {
        guard level > .debug else { return write(level, message, facts) }
        let kind = Kind(level: level, message: message)
        let now = now()
        let (ended, isShown, isFirstHidden) = runs.withLock { runs in
            var run = runs[kind] ?? Run(start: now)
            let ended = run.start + Self.window <= now ? run : nil
            if ended != nil { run = Run(start: now) }
            let isShown = run.shown < Self.shown
            if isShown {
                run.shown += 1
            } else {
                run.hidden += 1
                run.last = facts
            }
            runs[kind] = run
            return (ended, isShown, run.hidden == 1)
        }
        if let ended { writeCount(kind, ended) }
        if isShown { write(level, message, facts) }
        guard isFirstHidden, !isShown else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Int(Self.window.components.seconds))) {
            [weak self] in self?.writeCounts()
        }
    }

    /// Writes how many were not shown, where their minute is over; `all`: of the others as well.
    func writeCounts(all: Bool = false) {
        let now = now()
        let ended = runs.withLock { runs in
            let ended = runs.filter { all || $0.value.start + Self.window <= now }
            for kind in ended.keys { runs[kind] = nil }
            return ended
        }
        for (kind, run) in ended.sorted(by: { $0.value.start < $1.value.start }) { writeCount(kind, run) }
    }

    private func writeCount(_ kind: Kind, _ run: Run) {
        guard run.hidden > 0 else { return }
        let facts = run.last.merging(["more": "\(run.hidden)"]) { $1 }
        write(
            kind.level,
            "\(kind.message): so many more within a minute, of which only the last is shown; "
                + "\"backupfs leftovers\" tells each file's own last error", facts)
    }

    private func write(_ level: Logger.Level, _ message: String, _ facts: [String: String]) {
        file.write(LineLogHandler.line(at: Date(), level, message, facts: facts, format: format))
    }
}
