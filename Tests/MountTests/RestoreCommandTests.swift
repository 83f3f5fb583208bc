// The commands that need nothing but the backup, on real mounts.

import Foundation
import Glibc
import Testing

@Suite("restore, drill and export")
struct RestoreCommandTests {
    /// A tree with a bit of everything.
    private static let tree = """
        mkdir -p shop/2023 empty; chmod 750 shop; chown 12:34 empty
        head -c 300000 /dev/urandom > shop/2023/a.jpg; chmod 640 shop/2023/a.jpg
        ln shop/2023/a.jpg shop/again.jpg; ln -s ../a.jpg shop/2023/link; mkfifo pipe
        : > "$(printf 'no\\377utf8 \\n.jpg')"
        for i in $(seq 30); do head -c $((i * 1000)) /dev/urandom > empty/$i.jpg; done
        head -c 5000 /dev/urandom > gone.jpg; rm gone.jpg
        setfattr -n user.title -v 0x00ff61 shop/again.jpg
        touch -d '2001-02-03 04:05:06.789012345' shop/2023/a.jpg; touch -d '1969-12-31' shop/2023
        """

    /// How often a restore is killed; BACKUPFS_TEST_KILLS says it.
    private static let kills = ProcessInfo.processInfo.environment["BACKUPFS_TEST_KILLS"].flatMap { Int($0) } ?? 10

    private func difference(_ sandbox: Sandbox, _ one: String, _ other: String) throws -> String {
        try sandbox.run(
            [
                "rsync", "-aHAXni", "--specials", "--checksum", "--delete", "--exclude=/.backupfs", "\(one)/",
                "\(other)/",
            ]
        ).output
    }

    /// A copy of what the mount shows, made with rsync.
    private func copy(_ sandbox: Sandbox) throws -> String {
        let copy = sandbox.scratch("copy")
        try sandbox.run(["rsync", "-aHAX", "--specials", "\(sandbox.mountPoint)/", "\(copy)/"])
        return copy
    }

    private func loseMain(_ sandbox: Sandbox) throws {
        try sandbox.run(["find", sandbox.main, "-mindepth", "1", "-delete"])
    }

    @Test("I9: MAIN is lost as a whole; the restored mount shows no difference", arguments: BackupKind.available)
    func restores(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            let copy = try copy(sandbox)
            try sandbox.stop()
            try loseMain(sandbox)
            let refused = try sandbox.outcome(
                [backupfs, "restore", sandbox.main, "--backup", sandbox.backup.url],
                environment: sandbox.backup.environment)
            #expect(refused.status == 3 && refused.errors.contains("--take-over"))
            let restored = try sandbox.run(
                [backupfs, "restore", sandbox.main, "--backup", sandbox.backup.url, "--take-over"],
                environment: sandbox.backup.environment)
            #expect(restored.output.contains("32 files") && restored.output.contains("now mount it"))
            try sandbox.startAsRemembered()
            #expect(try difference(sandbox, copy, sandbox.mountPoint).isEmpty)
            try sandbox.stop()
        }
    }

    @Test("A restore that is killed again and again ends as one that was not", arguments: BackupKind.available)
    func killed(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            let copy = try copy(sandbox)
            try sandbox.stop()
            try loseMain(sandbox)
            let command = [
                backupfs, "restore", sandbox.main, "--backup", sandbox.backup.url, "--take-over", "--download",
            ]
            for number in 0..<Self.kills {
                let delay = number % 10
                let program = try Program(
                    command, environment: sandbox.backup.environment, output: sandbox.scratch("restore-\(number)"))
                usleep(useconds_t(delay * 24_000))
                program.send(SIGKILL)
                _ = try program.wait()
            }
            try sandbox.run(command, environment: sandbox.backup.environment)
            // What was downloaded needs no backup to be read.
            #expect(try sandbox.run(["cmp", "\(copy)/shop/again.jpg", "\(sandbox.main)/shop/again.jpg"]).status == 0)
            try sandbox.startAsRemembered()
            #expect(try difference(sandbox, copy, sandbox.mountPoint).isEmpty)
            try sandbox.stop()
        }
    }

    @Test("A machine that comes back after a take-over only reads, and says so", arguments: BackupKind.available)
    func takenOver(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell("head -c 10000 /dev/urandom > a.jpg")
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            let process = try sandbox.daemonProcess()
            kill(process, SIGSTOP)
            try makeDirectory(sandbox.scratch("other"))
            try sandbox.run(
                [backupfs, "restore", sandbox.scratch("other"), "--backup", sandbox.backup.url, "--take-over"],
                environment: sandbox.backup.environment)
            kill(process, SIGCONT)
            // It finds out with the first thing that cannot be undone.
            try sandbox.shell("rm a.jpg")
            try eventually("it knows") { try sandbox.status().backup.takenOver != nil }
            #expect(failureOfWriting(sandbox.path("b.jpg"), [1])?.code == EIO)
            let keys = try sandbox.backup.keys()
            #expect(keys.contains { $0.split(separator: "/").last?.hasPrefix("a~") == true })
            try sandbox.stop()
            let refused = try sandbox.refusal()
            #expect(refused.status != 0 && refused.errors.contains("was taken over by"))
        }
    }

    @Test("drill proves the backup in one line, and finds what is missing", arguments: BackupKind.available)
    func drill(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            let command = [backupfs, "drill", "--backup", sandbox.backup.url, "--sample", "50"]
            let good = try sandbox.run(command, environment: sandbox.backup.environment)
            #expect(good.output.hasPrefix("ok: 32 files") && good.output.contains("32 files read"))
            // The mount is still the owner.
            try sandbox.shell("head -c 10 /dev/urandom > after.jpg")
            let victim = try #require(try sandbox.backup.keys().first { $0.contains("empty/7~") })
            try sandbox.backup.removeObject(victim)
            let bad = try sandbox.outcome(command + ["--json"], environment: sandbox.backup.environment)
            #expect(
                bad.status == 1 && bad.output.contains(victim.split(separator: "/").suffix(2).joined(separator: "/")))
        }
    }

    @Test("export makes a plain tree without a difference, and goes on where it was", arguments: BackupKind.available)
    func export(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            let copy = try copy(sandbox)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            let target = sandbox.scratch("plain")
            let command = [backupfs, "export", target, "--backup", sandbox.backup.url]
            try sandbox.run(command, environment: sandbox.backup.environment)
            let found = try difference(sandbox, copy, target)
            #expect(found.isEmpty && !exists("\(target)/.backupfs"), "\(found)")
            try remove("\(target)/shop/again.jpg")
            let again = try sandbox.run(command, environment: sandbox.backup.environment)
            #expect(again.output.contains(" 0 fetched"))
            #expect(try difference(sandbox, copy, target).isEmpty)
            // A main directory is no place for it.
            let refused = try sandbox.outcome(
                [backupfs, "export", sandbox.main, "--backup", sandbox.backup.url],
                environment: sandbox.backup.environment)
            #expect(refused.status == 1 && exists(sandbox.mainPath(".backupfs/catalogue.sqlite")))
        }
    }
}
