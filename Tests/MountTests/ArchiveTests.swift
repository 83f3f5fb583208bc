// export --tar, unpacked by other people's programs.

import Foundation
import Glibc
import Testing

@Suite("export --tar")
struct ArchiveTests {
    private static let tree = """
        mkdir -p shop/2023 empty; chmod 750 shop; chown 12:34 empty
        head -c 300000 /dev/urandom > shop/2023/a.jpg; chmod 4640 shop/2023/a.jpg
        ln shop/2023/a.jpg shop/again.jpg; ln -s ../a.jpg shop/2023/link; mkfifo pipe; mknod -m 600 device c 1 3
        : > "$(printf 'no\\377utf8 \\n.jpg')"; chown 3000000:4 no*
        long=$(printf 'n%.0s' $(seq 200)); mkdir -p "$long/$long"; echo a > "$long/$long/$long"
        ln "$long/$long/$long" "$long/again"; ln -s "$long/$long" "$long/link"
        for i in $(seq 30); do head -c $((i * 1000)) /dev/urandom > empty/$i.jpg; done
        truncate -s 3M hole; head -c 1000 /dev/urandom >> hole
        setfattr -n user.title -v 0x00ff61 shop/again.jpg; setfattr -n user.place -v here shop
        touch -h -d '2001-02-03 04:05:06.789012345' shop/2023/a.jpg shop/2023/link
        touch -d '1969-12-31' shop/2023; touch -d '2002-02-02 02:02:02.222222222' shop empty .; chmod 500 shop/2023
        """

    private func difference(_ sandbox: Sandbox, _ one: String, _ other: String, _ options: [String]) throws -> String {
        try sandbox.run(
            ["rsync", "-aHni", "--devices", "--specials", "--checksum", "--delete"] + options + [
                "\(one)/", "\(other)/",
            ]
        ).output
    }

    private func export(_ sandbox: Sandbox, _ arguments: [String]) throws -> Program.Outcome {
        try sandbox.outcome(
            [backupfs, "export", "--backup", sandbox.backup.url] + arguments, environment: sandbox.backup.environment)
    }

    /// What `tar` makes of what is sent to it.
    private func unpack(_ sandbox: Sandbox, _ arguments: String, into name: String) throws -> Program.Outcome {
        let target = sandbox.scratch(name)
        try makeDirectory(target)
        return try sandbox.outcome(
            [
                "bash", "-c",
                "set -o pipefail; \"$0\" export --backup \"$1\" --tar - \(arguments) "
                    + "| tar -xp --xattrs --xattrs-include='*' -C \"$2\"",
                backupfs, sandbox.backup.url, target,
            ], environment: sandbox.backup.environment)
    }

    @Test("tar and Python unpack the very tree that export makes", arguments: BackupKind.available)
    func unpacked(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            let plain = sandbox.scratch("plain")
            #expect(try export(sandbox, [plain]).status == 0)
            let unpacked = try unpack(sandbox, "", into: "tar")
            #expect(unpacked.status == 0 && unpacked.errors.contains("34 fetched"), "\(unpacked)")
            let found = try difference(sandbox, plain, sandbox.scratch("tar"), ["-AX"])
            #expect(found.isEmpty, "\(found)")
            #expect(
                try sandbox.shell(
                    "stat -c '%.9Y %.9X' \(plain)/shop/2023/a.jpg \(sandbox.scratch("tar"))/shop/2023/a.jpg"
                )
                .output.split(separator: "\n").allSatisfy { $0.hasPrefix("981173106.789012345") })
            let file = sandbox.scratch("file.tar")
            #expect(try export(sandbox, ["--tar", file]).output.contains("34 fetched"))
            try makeDirectory(sandbox.scratch("python"))
            try sandbox.run([
                "python3", "-c", "import sys, tarfile\ntarfile.open(sys.argv[1]).extractall(sys.argv[2])", file,
                sandbox.scratch("python"),
            ])
            let other = try difference(
                sandbox, plain, sandbox.scratch("python"), ["--modify-window=1", "--omit-link-times"])
            #expect(other.isEmpty, "\(other)")
            #expect(
                try sandbox.shell("stat -c %b \(plain)/hole").output.split(separator: "\n").first.flatMap { Int($0) }
                    ?? 9999 < 100)
        }
    }

    @Test("What is missing or damaged is left out, told, and no member", arguments: BackupKind.available)
    func missing(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell(Self.tree)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            for name in ["empty/7~", "2023/a~"] {
                try sandbox.backup.removeObject(try #require(try sandbox.backup.keys().first { $0.contains(name) }))
            }
            let outcome = try unpack(sandbox, "", into: "tar")
            #expect(outcome.status == 1 && outcome.errors.contains("empty/7.jpg: "), "\(outcome)")
            #expect(outcome.errors.contains("shop/2023/a.jpg: ") && outcome.errors.contains("shop/again.jpg: "))
            let found = try difference(sandbox, sandbox.mountPoint, sandbox.scratch("tar"), ["--exclude=.backupfs"])
            let lines = found.split(separator: "\n").filter { $0.contains("+++") }
            #expect(lines.count == 3 && !exists(sandbox.scratch("tar/empty/7.jpg")), "\(found)")
        }
    }

    @Test("--only takes what matches, and the directories above it")
    func only() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try sandbox.shell(Self.tree)
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            #expect(try unpack(sandbox, "--only 'shop/2023/*'", into: "tar").status == 0)
            #expect(try export(sandbox, ["--only", "shop/2023/*", sandbox.scratch("plain")]).status == 0)
            for place in ["tar", "plain"] {
                let names = try sandbox.run(["find", sandbox.scratch(place), "-mindepth", "1", "-printf", "%P\\n"])
                    .output
                #expect(
                    Set(names.split(separator: "\n")) == ["shop", "shop/2023", "shop/2023/a.jpg", "shop/2023/link"],
                    "\(place): \(names)")
            }
            #expect(
                try difference(sandbox, sandbox.scratch("plain"), sandbox.scratch("tar"), ["-AX", "--omit-dir-times"])
                    .isEmpty)
        }
    }

    @Test("One plain line for what cannot be meant, and nothing is left behind")
    func refusals() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try sandbox.shell("head -c 3000000 /dev/urandom > a.jpg; head -c 3000000 /dev/urandom > b.jpg")
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            for arguments in [[], [sandbox.scratch("plain"), "--tar", "-"]] {
                let refused = try export(sandbox, arguments)
                #expect(refused.status == 2 && refused.errors.contains("a directory, or --tar FILE"), "\(refused)")
                #expect(refused.errors.split(separator: "\n").count == 1)
            }
            let terminal = try sandbox.shell(
                "script -qec '\(backupfs) export --backup \(sandbox.backup.url) --tar -' /dev/null || true")
            #expect(terminal.output.contains("not for a terminal"), "\(terminal)")
            // Who reads stops.
            try makeDirectory(sandbox.scratch("temporary"))
            let cut = try sandbox.shell(
                """
                set +e; export TMPDIR=\(sandbox.scratch("temporary"))
                \(backupfs) export --backup \(sandbox.backup.url) --tar - 2> \(sandbox.scratch("errors")) | head -c 1000 > /dev/null
                echo "${PIPESTATUS[0]}"; cat \(sandbox.scratch("errors")); ls -A "$TMPDIR"
                """)
            #expect(cut.output.hasPrefix("1\n") && cut.output.contains("is not whole"), "\(cut)")
            #expect(cut.output.split(separator: "\n").count == 2)
        }
    }
}
