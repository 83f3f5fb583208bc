// Starting a program closes all our open files in the new process, and for a file in a mount that is a close like any
// other: it uploads, it counts, and with a server that hangs it hangs. So no test starts a program itself. One other
// process, started before anything is mounted and without any such file, starts them all.

import Foundation
import Glibc
import Synchronization

/// Starts programs in another process.
final class Spawner: Sendable {
    static let shared = Spawner()

    private struct State {
        var next = 0
        var started: [Int: Result<pid_t, CallFailure>] = [:]
        var ended: [Int: Int32] = [:]
    }

    private let state = Mutex(State())
    private let requests: Int32

    /// What that process runs; it ends when the tests do, and with it all that it started.
    private static let script = """
        import json, os, subprocess, sys, threading
        lock, programs = threading.Lock(), {}
        def say(**answer):
            with lock:
                print(json.dumps(answer), flush=True)
        def wait(number, program):
            status = program.wait()
            say(number=number, ended=status if status >= 0 else 128 - status)
        for line in sys.stdin:
            request = json.loads(line)
            number = request["number"]
            if "signal" in request:
                programs[number].send_signal(request["signal"])
                continue
            try:
                with open(request["output"] + ".out", "ab") as out, open(request["output"] + ".err", "ab") as errors:
                    programs[number] = subprocess.Popen(
                        request["arguments"], stdin=subprocess.PIPE if request["leash"] else subprocess.DEVNULL,
                        stdout=out, stderr=errors, env={**os.environ, **request["environment"]})
                say(number=number, started=programs[number].pid)
                threading.Thread(target=wait, args=(number, programs[number]), daemon=True).start()
            except OSError as error:
                say(number=number, failed=error.errno)
        for program in programs.values():
            program.kill()
        """

    private init() {
        var toStarter: [Int32] = [-1, -1]
        var fromStarter: [Int32] = [-1, -1]
        guard pipe(&toStarter) == 0, pipe(&fromStarter) == 0 else {
            fatalError("no pipe to start programs through")
        }
        for end in toStarter + fromStarter { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        requests = toStarter[1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, toStarter[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromStarter[1], 1)
        // The test runner's threads may block signals; programs must not inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = ["python3", "-c", Self.script]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var starter: pid_t = 0
        guard posix_spawnp(&starter, "python3", &actions, &attributes, arguments, environ) == 0 else {
            fatalError("the tests need python3")
        }
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
        for text in arguments { free(text) }
        close(toStarter[0])
        close(fromStarter[1])
        let answers = fromStarter[0]
        Thread { [self] in readAnswers(answers) }.start()
    }

    private struct Answer: Decodable {
        var number: Int
        var started: pid_t?
        var failed: Int32?
        var ended: Int32?
    }

    private func readAnswers(_ answers: Int32) {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(answers, &buffer, buffer.count)
            guard count > 0 else { return }
            text += buffer[..<count]
            while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(text[..<end])
                text.removeSubrange(...end)
                guard let answer = try? JSONDecoder().decode(Answer.self, from: line) else { continue }
                state.withLock { state in
                    if let pid = answer.started { state.started[answer.number] = .success(pid) }
                    if let code = answer.failed {
                        state.started[answer.number] = .failure(CallFailure(call: "start", code: code))
                    }
                    if let status = answer.ended { state.ended[answer.number] = status }
                }
            }
        }
    }

    private func ask(_ request: [String: Any]) throws {
        let line = [UInt8](try JSONSerialization.data(withJSONObject: request)) + [UInt8(ascii: "\n")]
        // Held while it writes: two requests must not mix.
        let written = state.withLock { _ in write(requests, line, line.count) }
        guard written == line.count else {
            throw CallFailure(call: "write to the starter", code: errno)
        }
    }

    /// Starts a program and returns the number under which it is known.
    func start(_ arguments: [String], environment: [String: String], leash: Bool, output: String) throws -> Int {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        try ask([
            "number": number, "arguments": arguments, "environment": environment, "leash": leash, "output": output,
        ])
        var result: Result<pid_t, CallFailure>?
        try eventually("\(arguments[0]) starts") {
            result = state.withLock { $0.started[number] }
            return result != nil
        }
        _ = try result?.get()
        return number
    }

    /// Its exit status if it has ended (128 + signal if a signal ended it).
    func status(_ number: Int) -> Int32? { state.withLock { $0.ended[number] } }

    /// Its process.
    func process(_ number: Int) -> pid_t? { state.withLock { try? $0.started[number]?.get() } }

    /// Sends it a signal, if it has not ended.
    func send(_ signal: Int32, to number: Int) { try? ask(["number": number, "signal": signal]) }
}
