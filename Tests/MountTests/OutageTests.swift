// The backup goes away under load and comes back: what programs see, and what it costs this machine.

import Foundation
import Glibc
import Testing

@Suite("An outage of the backup")
struct OutageTests {
    /// Closes 1,000 files at once and prints how each close ended: its errno, 0 for none.
    private static let thousandCloses = """
        import os, sys, threading
        threading.stack_size(1 << 16)
        files = [os.open("%s/%d" % (sys.argv[1], n), os.O_WRONLY | os.O_CREAT, 0o644) for n in range(1000)]
        for n, file in enumerate(files):
            os.write(file, b"%d" % n)
        print("ready", flush=True)
        sys.stdin.close()
        outcomes = [None] * len(files)
        def close(n):
            try:
                os.close(files[n])
                outcomes[n] = 0
            except OSError as error:
                outcomes[n] = error.errno
        threads = [threading.Thread(target=close, args=(n,)) for n in range(len(files))]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(*outcomes)
        """

    /// What the daemon uses at most, looked at again and again while a program runs.
    private struct Use {
        var threads = 0
        var sockets = 0
    }

    private static func watch(_ sandbox: Sandbox, until program: Program) throws -> Use {
        let daemon = "/proc/\(try sandbox.daemonProcess())"
        var use = Use()
        try eventually("all closes end", atMost: .seconds(200)) {
            use.threads = max(use.threads, try names(in: daemon + "/task").count)
            let files = (try? names(in: daemon + "/fd")) ?? []
            let links = files.map {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(daemon)/fd/\($0)")) ?? ""
            }
            use.sockets = max(use.sockets, links.count { $0.hasPrefix("socket:") })
            return program.statusIfEnded() != nil
        }
        return use
    }

    private static func outcomes(_ program: Program) throws -> [Int32] {
        let lines = try program.wait().output.split(separator: "\n")
        return lines.last?.split(separator: " ").compactMap { Int32($0) } ?? []
    }

    @Test(
        "1,000 closes during an outage fail at their deadline, on few threads and connections; then all is uploaded",
        .enabled(if: S3Server.isThere), arguments: ["refuse", "hang", "status"])
    func thousandClosesFail(_ mode: String) async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "10s"]) { sandbox in
            try writeFile(sandbox.path("before.jpg"), photo(1))
            try sandbox.proxy.set(mode)
            let program = try sandbox.launch(["python3", "-c", Self.thousandCloses, sandbox.mountPoint])
            let use = try Self.watch(sandbox, until: program)
            #expect(try Self.outcomes(program) == Array(repeating: EIO, count: 1000))
            #expect(use.threads < 64, "\(use.threads) threads")
            // 16 transfers, the control socket and a command or two.
            #expect(use.sockets < 32, "\(use.sockets) sockets")
            #expect(try readFile(sandbox.path("before.jpg")) == photo(1))
            try sandbox.proxy.set("pass")
            try sandbox.settle()
            #expect(try sandbox.backedUp("999") == Array("999".utf8))
        }
    }

    @Test(
        "1,000 closes that wait during an outage succeed when it ends, and the server was left alone meanwhile",
        .enabled(if: S3Server.isThere))
    func thousandClosesWait() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "1h"]) { sandbox in
            try sandbox.proxy.set("status", status: 503)
            let program = try sandbox.launch(["python3", "-c", Self.thousandCloses, sandbox.mountPoint])
            try eventually("the outage is noticed") { sandbox.log.contains("backup storage does not answer") }
            try eventually("all closes wait") { try sandbox.status().pending.uploads == 1000 }
            func waitForRequests(_ count: Int) throws {
                let asked = try sandbox.proxy.hits()
                try eventually("the server is asked again") { try sandbox.proxy.hits() >= asked + count }
            }
            // What was let through before is answered first; then only probes come, not the uploads that wait.
            try waitForRequests(3)
            let uploads = try sandbox.proxy.requests("PUT").count
            try waitForRequests(8)
            #expect(try sandbox.proxy.requests("PUT").count - uploads < 8)
            #expect(program.statusIfEnded() == nil)
            try sandbox.proxy.set("pass")
            #expect(try Self.outcomes(program) == Array(repeating: 0, count: 1000))
            try sandbox.settle()
        }
    }

    @Test("A stop during an outage waits for no upload, and loses nothing", .enabled(if: S3Server.isThere))
    func stopped() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "1h"]) { sandbox in
            try sandbox.proxy.set("status", status: 503)
            let writer = Crowd(1) { _ in try? writeFile(sandbox.path("a.jpg"), photo(1)) }
            try eventually("the outage is known, and told") {
                let backup = try sandbox.status().backup
                return !backup.reachable && backup.lastError?.contains("503") == true
            }
            #expect(try sandbox.stop() == 0)
            _ = writer.wait()
            #expect(sandbox.log.contains("some programs were still waiting"))
            try sandbox.proxy.set("pass")
            // What was written is on the disk, whatever the uploads did: a machine that boots now has it, too.
            try sandbox.start(environment: ["BACKUPFS_BOOT_ID": "another"])
            try sandbox.settle()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test(
        "--when-backup-is-down fail: after one close that waited, others fail at once; it heals",
        .enabled(if: S3Server.isThere))
    func failAtOnce() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "5s", "--when-backup-is-down", "fail"]) { sandbox in
            try sandbox.backup.takeAway()
            #expect(failureOfWriting(sandbox.path("first"), photo(1)) == CallFailure(call: "close", code: EIO))
            let start = ContinuousClock.now
            for index in 0..<20 {
                #expect(
                    failureOfWriting(sandbox.path("\(index)"), photo(index)) == CallFailure(call: "close", code: EIO))
            }
            // Twenty that wait take 100 s.
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(try sandbox.leftovers().count == 21)
            #expect(try sandbox.leftovers().allSatisfy { $0.lastError?.contains("cannot be reached") == true })
            try sandbox.backup.bringBack()
            try sandbox.settle()
            try writeFile(sandbox.path("after"), photo(2))
            #expect(try sandbox.backedUp("19") == photo(19))
        }
    }

    @Test(
        "--when-backup-is-down wait: a close waits longer than its timeout, until the backup is back",
        .enabled(if: S3Server.isThere))
    func waitAsLongAsItTakes() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "1s", "--when-backup-is-down", "wait"]) { sandbox in
            try sandbox.backup.takeAway()
            let waiting = Crowd(8) { index in failureOfWriting(sandbox.path("\(index)"), photo(index)) }
            usleep(5_000_000)
            #expect(waiting.finished == 0)
            try sandbox.backup.bringBack()
            #expect(waiting.wait().allSatisfy { $0 == nil })
            for index in 0..<8 { #expect(try sandbox.backedUp("\(index)") == photo(index)) }
        }
    }
}
