// One test's world: a main directory, a mount point, a backup storage and the daemon between them, all of its own and
// gone afterwards, whatever happened.

import Foundation
import Glibc
import Synchronization
import Testing

/// The repository that these tests are part of.
let repository = String(#filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" })

/// The executable under test: beside the test runner, where the build puts both.
let backupfs: String = {
    if let path = ProcessInfo.processInfo.environment["BACKUPFS_EXECUTABLE"] { return path }
    let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = (runner as NSString).deletingLastPathComponent + "/backupfs"
    return exists(beside) ? beside : "\(repository)/.build/debug/backupfs"
}()

/// The daemon ended when it should have served.
struct DaemonEnded: Error, CustomStringConvertible {
    var outcome: Program.Outcome

    var description: String { "the daemon ended with \(outcome.status): \(outcome.errors)" }
}

/// A mount of its own for one test.
final class Sandbox: Sendable {
    /// Where everything of this test is.
    let root: String
    /// The main directory's path; while the mount covers it, `mainPath` leads to what is below.
    let main: String
    /// Where the mount is.
    let mountPoint: String
    /// Its backup storage.
    let backup: Backup
    private let mainBelow: Int32
    private let daemon = Mutex<Program?>(nil)
    private let count = Mutex(0)

    private init(_ kind: BackupKind, covering: Bool, mainSize: String?) throws {
        // Before anything is mounted.
        _ = Spawner.shared
        for needed in ["/dev/fuse", backupfs] where !exists(needed) {
            throw CallFailure(call: "these tests mount, and need \(needed)", code: ENOENT)
        }
        var template = Array((FileManager.default.temporaryDirectory.path + "/mount-test.XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw CallFailure(call: "mkdtemp", code: errno) }
        root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        main = root + "/main"
        mountPoint = covering ? main : root + "/mount"
        try makeDirectory(main)
        if !covering { try makeDirectory(mountPoint) }
        if let mainSize {
            try check("mount of a tmpfs", Int(Glibc.mount("tmpfs", main, "tmpfs", 0, "size=\(mainSize)")))
        }
        mainBelow = try OpenFile(main, O_RDONLY | O_DIRECTORY).number
        backup = try Backup(kind, scratch: root)
    }

    /// Runs a test in a sandbox, mounted unless `startsMounted` is false.
    ///
    /// `covering`: the mount point is the main directory. `mainSize` makes main a tmpfs of that size.
    static func run(
        _ kind: BackupKind, options: [String] = [], covering: Bool = false, mainSize: String? = nil,
        startsMounted: Bool = true, patience: Duration = .seconds(900),
        _ body: @Sendable (Sandbox) throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(MountThreads.shared) {
            let sandbox = try Sandbox(kind, covering: covering, mainSize: mainSize)
            defer { sandbox.tearDown() }
            try sandbox.watched(patience) {
                if startsMounted { try sandbox.start(options) }
                try body(sandbox)
            }
        }
    }

    /// Kills the daemon of a test that hangs in it: then every system call in the mount returns.
    private func watched(_ patience: Duration, _ body: () throws -> Void) throws {
        let isDone = Mutex(false)
        let didBite = Mutex(false)
        try withoutActuallyEscaping(body) { body in
            let watchdog = Crowd(1) { [self] _ in
                let end = ContinuousClock.now + patience
                while !isDone.withLock({ $0 }) {
                    if ContinuousClock.now > end, !didBite.withLock({ $0 }) {
                        didBite.withLock { $0 = true }
                        kill9()
                    }
                    usleep(50_000)
                }
            }
            defer {
                isDone.withLock { $0 = true }
                _ = watchdog.wait()
            }
            do {
                try body()
            } catch {
                if !didBite.withLock({ $0 }) { showLog() }
                throw error
            }
        }
        if didBite.withLock({ $0 }) { throw Hang(what: "this test; its daemon was killed") }
    }

    private func tearDown() {
        daemon.withLock { $0 }?.send(SIGKILL)
        for _ in 0..<5 where isMounted {
            _ = try? outcome(["fusermount3", "-u", "-z", mountPoint])
        }
        _ = try? daemon.withLock { $0 }?.wait()
        backup.stop()
        _ = Glibc.close(mainBelow)
        umount2(main, Int32(MNT_DETACH))
        umount2(root + "/backup", Int32(MNT_DETACH))
        if ProcessInfo.processInfo.environment["BACKUPFS_TEST_KEEP"] == nil {
            _ = try? Program(["rm", "-rf", "--one-file-system", root], output: root + "-rm").wait()
            unlink(root + "-rm.out")
            unlink(root + "-rm.err")
        }
    }

    /// The end of the daemon's log, for a person who looks at a failure.
    private func showLog() {
        guard let text = daemon.withLock({ $0 })?.complaints else { return }
        let lines = text.split(separator: "\n").suffix(30).joined(separator: "\n")
        FileHandle.standardError.write(Data("--- the daemon of \(root) said\n\(lines)\n---\n".utf8))
    }

    // MARK: Paths

    /// A path in the mount.
    func path(_ name: String) -> String { "\(mountPoint)/\(name)" }

    /// A path in main, behind the mount's back.
    func mainPath(_ name: String) -> String {
        main == mountPoint ? "/proc/\(getpid())/fd/\(mainBelow)/\(name)" : "\(main)/\(name)"
    }

    /// A path that is in neither.
    func scratch(_ name: String) -> String { "\(root)/\(name)" }

    // MARK: The daemon

    var isMounted: Bool {
        let mounts = (try? readFile("/proc/self/mountinfo")) ?? []
        return String(decoding: mounts, as: UTF8.self).split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 8 && fields[4] == mountPoint && line.contains(" - fuse")
        }
    }

    /// Mounts, and returns when the mount serves.
    func start(_ options: [String] = [], environment: [String: String] = [:]) throws {
        try start(arguments: ["--backup", backup.url] + options, environment: environment)
    }

    /// Mounts without saying where the backup is.
    func startAsRemembered(_ options: [String] = []) throws { try start(arguments: options, environment: [:]) }

    private func start(arguments: [String], environment: [String: String]) throws {
        let program = try Program(
            [backupfs, "mount", main, mountPoint, "--foreground"] + arguments,
            environment: backup.environment.merging(environment) { $1 }, output: nextOutput("daemon"))
        daemon.withLock { $0 = program }
        try eventually("the mount at \(mountPoint)") {
            if program.statusIfEnded() != nil { throw DaemonEnded(outcome: try program.wait()) }
            return isMounted
        }
        // The first answer of the root directory: the daemon serves.
        try check("stat of the mount", Int(access(mountPoint, X_OK)))
    }

    /// What a mount that must be refused says; a mount that is not refused is a failure.
    func refusal(
        _ options: [String] = [], main: String? = nil, mountPoint: String? = nil, backup url: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Program.Outcome {
        let program = try Program(
            [backupfs, "mount", main ?? self.main, mountPoint ?? self.mountPoint, "--foreground"]
                + ["--backup", url ?? backup.url] + options,
            environment: backup.environment.merging(environment) { $1 }, output: nextOutput("refused"))
        defer {
            program.send(SIGKILL)
            _ = try? program.wait()
        }
        return try program.wait()
    }

    /// The daemon's process.
    func daemonProcess() throws -> pid_t {
        guard let process = daemon.withLock({ $0 })?.process else { throw Hang(what: "the daemon has ended") }
        return process
    }

    /// What the daemon has logged.
    var log: String { daemon.withLock { $0 }?.complaints ?? "" }

    /// Ends the daemon with a signal and returns its exit status.
    @discardableResult
    func stop(_ signal: Int32 = SIGTERM) throws -> Int32 {
        let program = daemon.withLock { $0 }
        program?.send(signal)
        return try program?.wait().status ?? 0
    }

    /// Waits for the daemon's end and returns its exit status.
    func waitForEnd() throws -> Int32 { try daemon.withLock { $0 }?.wait().status ?? 0 }

    /// kill -9, and the mount point as it was before.
    func kill9() {
        let program = daemon.withLock { $0 }
        program?.send(SIGKILL)
        _ = try? program?.wait()
        for _ in 0..<5 where isMounted {
            _ = try? outcome(["fusermount3", "-u", "-z", mountPoint])
        }
    }

    // MARK: Programs

    private func nextOutput(_ name: String) -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return "\(root)/\(number)-\((name as NSString).lastPathComponent)"
    }

    /// Starts a program.
    func launch(_ arguments: [String], environment: [String: String] = [:]) throws -> Program {
        try Program(
            arguments, environment: backup.environment.merging(environment) { $1 },
            output: nextOutput(arguments[0]))
    }

    /// Runs a program to its end.
    func outcome(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> Program.Outcome {
        try launch(arguments, environment: environment).wait()
    }

    /// Runs a program that must succeed.
    @discardableResult
    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
        let outcome = try outcome(arguments, environment: environment)
        guard outcome.status == 0 else { throw ProgramFailure(outcome: outcome) }
        return outcome
    }

    /// Runs a shell script in the mount's root directory; it must succeed.
    @discardableResult
    func shell(_ script: String) throws -> Program.Outcome {
        try run(["bash", "-c", "set -euo pipefail; cd \"$0\"; \(script)", mountPoint])
    }

    /// The value of an extended attribute of a file in the mount; nil if it is not set.
    func attribute(_ attribute: String, of name: String) throws -> String? {
        let outcome = try outcome(["getfattr", "--only-values", "-n", attribute, path(name)])
        if outcome.status != 0, outcome.errors.contains("No such attribute") { return nil }
        guard outcome.status == 0 else { throw ProgramFailure(outcome: outcome) }
        return outcome.output
    }

    // MARK: Commands of backupfs

    func info(_ name: String) throws -> Info { try json(["info", path(name), "--json"]) }

    func status() throws -> Status { try json(["status", mountPoint, "--json"]) }

    /// The keys of versions that are kept for a day because their successors come out of a run that was killed.
    func keptKeys() throws -> [String] {
        let said = try outcome([
            "sqlite3", "-readonly", mainPath(".backupfs/catalogue.sqlite"),
            "SELECT key FROM version WHERE kept_until IS NOT NULL",
        ])
        #expect(said.status == 0, "\(said.errors)")
        return said.output.split(separator: "\n").map(String.init)
    }

    func leftovers() throws -> [Leftover] { try json(["leftovers", mountPoint, "--json"]) }

    private func json<Report: Decodable>(_ arguments: [String]) throws -> Report {
        let output = try run([backupfs] + arguments).output
        return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
    }

    /// Waits until nothing is left to do.
    func settle() throws {
        try eventually("leftovers and pending work are none: \(String(describing: try? status()))") {
            let status = try status()
            return status.leftovers == 0 && status.pending.uploads == 0 && status.pending.removals == 0
        }
    }

    /// The bytes that the backup holds for a file, under the key that its row names.
    func backedUp(_ name: String) throws -> [UInt8]? {
        guard let key = try info(name).backupKey else { return nil }
        return try backup.object(key)
    }

    /// The requests that the S3 server's proxy has seen; none for other storages.
    func requests(_ method: String) throws -> [LoggedRequest] {
        guard case .s3(_, _, let proxy) = backup.place else { return [] }
        return try proxy.requests(method)
    }

    /// The proxy in front of the S3 server.
    var proxy: S3Proxy {
        get throws {
            guard case .s3(_, _, let proxy) = backup.place else { throw CallFailure(call: "proxy", code: ENOENT) }
            return proxy
        }
    }
}
