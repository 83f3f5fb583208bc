// What a daemon says to the command that started it: warnings, then `ready` or the one line why not; each one line.

import FileSystemCore
import Glibc
import Linux
import Synchronization

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

/// The daemon's end of the pipe to the command that started it.
final class ReadyChannel: Sendable {
    /// Guards the pipe, nil once the last message was sent; taken alone.
    private let pipe: Mutex<Descriptor?>

    /// Takes over the pipe; no program that is started later inherits it.
    init(_ pipe: Descriptor) {
        _ = fcntl(pipe.number, F_SETFD, FD_CLOEXEC)
        self.pipe = Mutex(pipe)
    }

    /// Sends a message; nobody listens after the last one.
    func send(_ message: ReadyMessage) {
        let line = Array("\(message.line)\n".utf8)
        pipe.withLock { pipe in
            guard let pipe else { return }
            _ = write(pipe.number, line, line.count)
        }
    }

    /// Sends the last message and closes the pipe.
    func finish(_ message: ReadyMessage) {
        send(message)
        pipe.withLock { $0 = nil }
    }
}
