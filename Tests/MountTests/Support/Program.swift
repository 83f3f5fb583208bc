// Programs that the tests run. What they print goes to files, so no pipe can fill up and block them.

import Foundation
import Glibc

/// A running program.
final class Program: Sendable {
    private let number: Int
    private let arguments: [String]
    private let output: String

    /// Starts a program found in PATH; its output goes to `output` + `.out` and `.err`.
    ///
    /// `environment` is added to our own. Its standard input is empty, or with `leash` a pipe that is closed when the
    /// tests end.
    init(_ arguments: [String], environment: [String: String] = [:], leash: Bool = false, output: String) throws {
        self.arguments = arguments
        self.output = output
        number = try Spawner.shared.start(arguments, environment: environment, leash: leash, output: output)
    }

    /// What it has printed so far.
    var printed: String { text(".out") }
    /// What it has complained about so far.
    var complaints: String { text(".err") }

    private func text(_ suffix: String) -> String {
        String(decoding: (try? readFile(output + suffix)) ?? [], as: UTF8.self)
    }

    /// The exit status if it has ended (128 + signal if a signal ended it); nil while it runs.
    func statusIfEnded() -> Int32? { Spawner.shared.status(number) }

    /// Its process, as long as it runs.
    var process: pid_t? { statusIfEnded() == nil ? Spawner.shared.process(number) : nil }

    /// Sends it a signal, if it has not ended.
    func send(_ signal: Int32) { Spawner.shared.send(signal, to: number) }

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
    static let patience = Duration.seconds(300)
}

/// Waits until a condition holds; throws `Hang` if it never does.
func eventually(_ what: String, atMost limit: Duration = .patience, _ condition: () throws -> Bool) throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw Hang(what: what) }
        usleep(20_000)
    }
}
