// What a daemon says to the command that started it: warnings, then `ready` or the one line why not; each one line.

/// A line from a starting daemon.
enum ReadyMessage: Equatable, Sendable {
    /// The mount works; something is not as it should be.
    case warning(String)
    /// Mounted.
    case ready
    /// Not mounted, with the exit status of the command.
    case failed(status: Int32, line: String)

    /// The message as a line, without its line feed.
    var line: String {
        switch self {
        case .warning(let text): "warning \(terminalText(text))"
        case .ready: "ready"
        case .failed(let status, let text): "failed \(status) \(terminalText(text))"
        }
    }

    /// nil for a line that is none.
    init?(line: String) {
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        switch (parts.first, parts.dropFirst().first) {
        case ("ready", nil): self = .ready
        case ("warning", let text?): self = .warning(text)
        case ("failed", let rest?):
            let fields = rest.split(separator: " ", maxSplits: 1)
            guard fields.count == 2, let status = Int32(fields[0]) else { return nil }
            self = .failed(status: status, line: String(fields[1]))
        default: return nil
        }
    }
}
