// Programs as children of the tests. What they print goes to files, so no pipe can fill up and block them.

import Foundation
import Glibc
import Synchronization

/// A running child process.
final class Program: Sendable {
    /// Its process id.
    let pid: pid_t
    private let arguments: [String]
    private let output: String
    /// Its exit status once it was collected: from then on the process id may be somebody else's.
    private let ended = Mutex<Int32?>(nil)

    /// Starts a program found in PATH; its output goes to `output` + `.out` and `.err`.
    ///
    /// `environment` is added to our own; `input` becomes its standard input (/dev/null if nil).
    init(
        _ arguments: [String], environment: [String: String] = [:], input: Int32? = nil, output: String
    ) throws {
        self.arguments = arguments
        self.output = output
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, output + ".out", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, output + ".err", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // The test runner's threads may block signals; a child must not inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, ours in ours }
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, arguments[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw CallFailure(call: "start \(arguments[0])", code: code) }
        pid = child
    }

    /// What it has printed so far.
    var printed: String { text(".out") }
    /// What it has complained about so far.
    var complaints: String { text(".err") }

    private func text(_ suffix: String) -> String {
        String(decoding: (try? readFile(output + suffix)) ?? [], as: UTF8.self)
    }

    /// The exit status if it has ended (128 + signal if a signal ended it); nil while it runs.
    func statusIfEnded() -> Int32? {
        ended.withLock { ended in
            var status: Int32 = 0
            if ended == nil, waitpid(pid, &status, WNOHANG) == pid {
                let signal = status & 0x7f
                ended = signal == 0 ? (status >> 8) & 0xff : 128 + signal
            }
            return ended
        }
    }

    /// Sends it a signal, if it has not ended.
    func send(_ signal: Int32) {
        ended.withLock { ended in
            if ended == nil { _ = kill(pid, signal) }
        }
    }

    /// Waits for its end; a program that is still running after `limit` is killed, and that is an error.
    @discardableResult
    func wait(atMost limit: Duration = .patience) throws -> Outcome {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            if let status = statusIfEnded() {
                return Outcome(arguments: arguments, status: status, output: printed, errors: complaints)
            }
            usleep(5000)
        }
        send(SIGKILL)
        throw Hang(what: arguments.joined(separator: " "))
    }

    /// How a program ended, and what it printed.
    struct Outcome: Sendable {
        var arguments: [String]
        var status: Int32
        var output: String
        var errors: String
    }
}

/// A program was expected to succeed and did not.
struct ProgramFailure: Error, CustomStringConvertible {
    var outcome: Program.Outcome

    var description: String {
        "\(outcome.arguments.joined(separator: " ")) ended with \(outcome.status): \(outcome.errors)\(outcome.output)"
    }
}

/// Something did not end within any time that could be called reasonable.
struct Hang: Error, CustomStringConvertible {
    var what: String

    var description: String { "hangs, or never becomes true: \(what)" }
}

extension Duration {
    /// How long a test waits for something that should happen soon: a guard against hanging, not a claim about speed.
    static let patience = Duration.seconds(90)
}

/// Waits until a condition holds; throws `Hang` if it never does.
func eventually(_ what: String, atMost limit: Duration = .patience, _ condition: () throws -> Bool) throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw Hang(what: what) }
        usleep(20_000)
    }
}
