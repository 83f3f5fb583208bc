// Failpoints: the boundaries of docs/DURABILITY.md by name, where a test build can be made to stop, fail or wait.
//
//     BACKUPFS_FAILPOINT=rename.main=kill@3     dies the third time it comes by; `error` and `delay:MS` are the others
//     BACKUPFS_FAILPOINT_REACHED=FILE           gets the name of each point that is reached, once, one a line
//
// Without the compilation condition BACKUPFS_FAILPOINTS the calls are empty and nothing of this is in the program.

#if !BACKUPFS_FAILPOINTS

@inline(__always) func reach(_ point: StaticString) throws(FileSystemError) {}
@inline(__always) func pass(_ point: StaticString) {}

#else

import Glibc
import Synchronization

/// Stops, fails or waits here if this point was chosen.
func reach(_ point: StaticString) throws(FileSystemError) {
    guard Failpoints.shared.reach("\(point)") else { return }
    throw .main(errno: EIO, during: "the failpoint \(point)")
}

/// Stops or waits here if this point was chosen; nothing can fail here.
func pass(_ point: StaticString) { _ = Failpoints.shared.reach("\(point)") }

/// What the environment chose.
final class Failpoints: Sendable {
    static let shared = Failpoints()

    private enum Action: Equatable {
        case kill
        case error
        case delay(milliseconds: UInt32)
    }

    private let chosen: (name: String, action: Action, turn: Int)?
    private let report: Int32
    /// How often each point was reached.
    private let counts = Mutex<[String: Int]>([:])

    private init() {
        report =
            getenv("BACKUPFS_FAILPOINT_REACHED").map { open($0, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) }
            ?? -1
        guard let text = getenv("BACKUPFS_FAILPOINT").map({ String(cString: $0) }), !text.isEmpty else {
            chosen = nil
            return
        }
        let turned = text.split(separator: "@", maxSplits: 1)
        let parts = turned[0].split(separator: "=", maxSplits: 1).map(String.init)
        let turn = turned.count == 2 ? Int(turned[1]) : 1
        let action: Action? =
            switch parts.last?.split(separator: ":").map(String.init) {
            case ["kill"]: .kill
            case ["error"]: .error
            case let delay? where delay.first == "delay" && delay.count == 2:
                UInt32(delay[1]).map { .delay(milliseconds: $0) }
            default: nil
            }
        // A test that misspells its point would test nothing.
        guard parts.count == 2, let action, let turn else { fatalError("BACKUPFS_FAILPOINT: \(text)") }
        chosen = (parts[0], action, turn)
    }

    /// True if the caller shall fail.
    func reach(_ name: String) -> Bool {
        let count = counts.withLock { counts in
            counts[name, default: 0] += 1
            return counts[name, default: 0]
        }
        if count == 1 { tell(name) }
        guard let chosen, chosen.name == name, chosen.turn == count else { return false }
        tell("\(name) taken")
        switch chosen.action {
        case .kill:
            kill(getpid(), SIGKILL)
            while true { pause() }
        case .delay(let milliseconds):
            usleep(milliseconds * 1000)
            return false
        case .error: return true
        }
    }

    private func tell(_ line: String) {
        guard report >= 0 else { return }
        let text = Array("\(line)\n".utf8)
        _ = write(report, text, text.count)
    }
}

#endif
