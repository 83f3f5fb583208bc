import ArgumentParser
import Testing

@testable import Command

@Suite("Command line")
struct OptionTests {
    private static func request(_ arguments: [String]) throws -> MountRequest {
        let command = try BackupFSCommand.parseAsRoot(FstabForm.normalised(arguments))
        return try #require(command as? MountCommand).request()
    }

    @Test(
        "a duration is a whole number of seconds, minutes or hours",
        arguments: [
            ("60", 60), ("90s", 90), ("2m", 120), ("1h", 3_600), ("0", nil), ("", nil), ("m", nil), ("-5", nil),
            ("1.5s", nil), ("5d", nil), ("9223372036854775807m", nil), ("\u{0661}", nil), ("+5", nil),
        ] as [(String, Int64?)])
    func durations(text: String, seconds: Int64?) {
        #expect(DurationArgument(text: text)?.seconds == seconds)
    }

    @Test("the options of mount, each in its place")
    func mount() throws {
        let request = try Self.request([
            "mount", "/main", "/mnt", "--backup", "s3://b/p", "--endpoint", "https://s3.example", "--region", "ewr",
            "--ca-bundle", "/ca.pem", "--passwd-file", "/secret", "--transfers", "4", "--close-timeout", "2m",
            "--when-backup-is-down", "wait",
            "--allow-insecure", "-f", "--log-level", "debug", "--log-format", "json", "-o", "allow_other,ro",
            "-o", "max_threads=3,dirsync,early_uploads,nopassthrough",
        ])
        #expect(
            request
                == MountRequest(
                    main: BytePath("/main"), mountPoint: BytePath("/mnt"),
                    given: BackupSettings(
                        backup: "s3://b/p", endpoint: "https://s3.example", region: "ewr", caBundle: "/ca.pem",
                        passwdFile: "/secret", transfers: 4, closeTimeout: DurationArgument(seconds: 120),
                        whenBackupIsDown: .wait,
                        allowInsecure: true),
                    foreground: true, logLevel: .debug, logFormat: .json, syncsNames: true, sendsEarly: true,
                    passesThrough: false, fuse: ["allow_other", "ro"],
                    maximumThreads: 3))
    }

    @Test("fstab's form: no command, our settings and s3fs's names among the options")
    func fstab() throws {
        let request = try Self.request([
            "/main", "/mnt", "-o",
            "rw,backup=s3://b/p,url=https://s3.example,passwd_file=/etc/passwd-s3fs,use_path_request_style,_netdev,nofail,"
                + "x-systemd.automount,close_timeout=90s,transfers=2,allow_other,default_permissions,noatime,dev,suid",
        ])
        #expect(request.given.backup == "s3://b/p")
        #expect(request.given.endpoint == "https://s3.example")
        #expect(request.given.passwdFile == "/etc/passwd-s3fs")
        #expect(request.given.closeTimeout == DurationArgument(seconds: 90))
        #expect(request.given.transfers == 2)
        // mount.fuse3 adds dev and suid by itself.
        #expect(request.fuse == ["allow_other", "noatime"])
        #expect(try Self.request(["mount", "/main", "/mnt", "-o", "dev,suid"]).fuse == ["dev", "suid"])
    }

    @Test("who we are and how the bucket is addressed, by option and by -o")
    func identity() throws {
        let long = try Self.request(["mount", "/main", "/mnt", "--profile", "p", "--addressing", "virtual"]).given
        #expect(long == BackupSettings(addressing: .virtual, profile: "p"))
        #expect(try MountOptionList(["profile=p,addressing=virtual"]).settings == long)
        for path in ["addressing=path", "use_path_request_style", "use_path_request_style=1"] {
            #expect(try MountOptionList([path]).settings == BackupSettings(addressing: .path))
        }
        let both = ["mount", "/main", "/mnt", "--profile", "p", "--passwd-file", "/f"]
        #expect(Entry.run(both) == .usage)
        #expect(Entry.run(["mount", "/main", "/mnt", "--addressing", "host"]) == .usage)
    }

    @Test(
        "only paths and options of mount are taken for fstab's form",
        arguments: [
            (["/m", "/n"], true), (["./m", "n"], true), (["-o", "ro", "/m", "/n"], true), (["status", "/m"], false),
            (["--help"], false), (["-h"], false), (["--version"], false), (["statsu", "/m"], false), ([], false),
        ])
    func form(arguments: [String], isFstab: Bool) {
        #expect((FstabForm.normalised(arguments).first == "mount") == isFstab)
    }

    @Test("an option given by its long name wins, and so does a later -o")
    func precedence() throws {
        let request = try Self.request([
            "mount", "/main", "/mnt", "--region", "flag", "-o", "region=first,endpoint=a", "-o", "endpoint=b",
        ])
        #expect(request.given.region == "flag")
        #expect(request.given.endpoint == "b")
    }

    @Test("a comma behind a backslash belongs to the value")
    func escapes() throws {
        #expect(try MountOptionList(["backup=file:///a\\,b\\\\c,ro"]).settings.backup == "file:///a,b\\c")
    }

    @Test(
        "what mount does not know or cannot use is wrong usage",
        arguments: [
            "bogus", "bogus=1", "profile", "addressing", "addressing=host", "backup", "backup=", "transfers=0",
            "transfers=x", "close-timeout=soon",
            "when-backup-is-down", "when-backup-is-down=panic",
            "log-level=loud", "max_threads=0", "umask=022",
        ])
    func unknown(option: String) {
        #expect(throws: CommandError.self) { try MountOptionList([option]) }
        #expect(Entry.run(["mount", "/main", "/mnt", "-o", option]) == .usage)
    }

    @Test(
        "wrong usage ends with 2, help and version with 0, a failure with 1",
        arguments: [
            (["--help"], .done), (["--version"], .done), (["help", "mount"], .done), (["statsu"], .usage),
            (["mount", "/main"], .usage), (["mount", "/main", "/mnt", "--bogus"], .usage),
            (["mount", "/main", "/mnt", "--transfers", "0"], .usage), (["status"], .usage),
            (["status", "/nonexistent/path"], .failed), (["unmount", "/nonexistent"], .failed),
        ] as [([String], Command.ExitStatus)])
    func exitStatus(arguments: [String], status: Command.ExitStatus) {
        #expect(Entry.run(arguments) == status)
    }

    @Test(
        "a daemon's messages survive the pipe",
        arguments: [.ready, .warning("a b"), .failed(status: 1, line: "it is: so")] as [ReadyMessage])
    func readyMessages(message: ReadyMessage) {
        #expect(ReadyMessage(line: message.line) == message)
        #expect(ReadyMessage(line: "failed x y") == nil)
        #expect(ReadyMessage(line: "") == nil)
        #expect(!ReadyMessage.warning("a\nready").line.contains("\n"))
    }
}
