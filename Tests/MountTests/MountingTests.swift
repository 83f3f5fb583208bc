// From mount to unmount: what is refused, what is remembered, how it ends.

import Foundation
import Glibc
import Testing

@Suite("Mounting and unmounting")
struct MountingTests {
    private func expectRefusal(_ outcome: Program.Outcome, status: Int32 = 1, saying words: [String] = []) {
        #expect(outcome.status == status, "\(outcome.errors)")
        #expect(!outcome.errors.isEmpty)
        for word in words { #expect(outcome.errors.localizedCaseInsensitiveContains(word), "\(outcome.errors)") }
    }

    @Test("SIGTERM, SIGINT, fusermount3 -u and unmount end it cleanly", arguments: BackupKind.available)
    func cleanEnds(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            for (index, end) in ["TERM", "INT", "fusermount3", "unmount"].enumerated() {
                try sandbox.shell("mkdir d\(index); ln -s x l\(index)")
                try writeFile(sandbox.path("\(index).jpg"), photo(index))
                switch end {
                case "TERM": #expect(try sandbox.stop(SIGTERM) == 0)
                case "INT": #expect(try sandbox.stop(SIGINT) == 0)
                case "fusermount3":
                    try sandbox.run(["fusermount3", "-u", sandbox.mountPoint])
                    #expect(try sandbox.waitForEnd() == 0)
                default:
                    try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
                    #expect(try sandbox.waitForEnd() == 0)
                }
                #expect(!sandbox.isMounted)
                #expect(try names(in: sandbox.mountPoint).isEmpty)
                try sandbox.start()
                for earlier in 0...index { #expect(try readFile(sandbox.path("\(earlier).jpg")) == photo(earlier)) }
                #expect(try sandbox.status().pending.uploads == 0)
            }
        }
    }

    @Test("Without --foreground, mount returns when it serves, and the daemon stays")
    func background() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.run([backupfs, "mount", sandbox.main, sandbox.mountPoint, "--backup", sandbox.backup.url])
            #expect(sandbox.isMounted)
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
            try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
            #expect(!sandbox.isMounted)
            // The form that mount(8) and fstab use.
            try sandbox.run([backupfs, sandbox.main, sandbox.mountPoint, "-o", "rw,allow_other,_netdev"])
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
            let refused = try sandbox.outcome([
                backupfs, "mount", sandbox.main, sandbox.mountPoint, "--backup", "file:///nowhere/at/all",
            ])
            #expect(refused.status == 1 && !refused.errors.isEmpty)
            #expect(!sandbox.isMounted)
        }
    }

    @Test("A mount point that is in use stays mounted and says so; it ends when it is free")
    func busyMountPoint() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDONLY)
            #expect(try sandbox.outcome(["fusermount3", "-u", sandbox.mountPoint]).status != 0)
            #expect(try file.readAll() == photo(1))
            file.abandon()
            try sandbox.run(["fusermount3", "-u", sandbox.mountPoint])
            #expect(try sandbox.waitForEnd() == 0)
        }
    }

    @Test("The first mount's settings are remembered", arguments: BackupKind.available)
    func remembered(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.startAsRemembered()
            #expect(try sandbox.status().backup.url == sandbox.backup.url)
            try writeFile(sandbox.path("b.jpg"), photo(2))
            #expect(try sandbox.backedUp("b.jpg") == photo(2))
            let config = String(decoding: try readFile(sandbox.mainPath(".backupfs/config.json")), as: UTF8.self)
            #expect(!config.contains(S3Server.fromEnvironment?.secretKey ?? "no secret"))
        }
    }

    @Test("A second daemon for one MAIN is refused (I8)", arguments: BackupKind.available)
    func secondDaemon(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try makeDirectory(sandbox.scratch("second"))
            expectRefusal(try sandbox.refusal(mountPoint: sandbox.scratch("second")))
            expectRefusal(try sandbox.refusal())
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test("What cannot work is refused before anything is mounted")
    func refusals() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let nowhere = sandbox.scratch("nowhere")
            expectRefusal(try sandbox.refusal(main: nowhere), saying: [nowhere])
            expectRefusal(try sandbox.refusal(mountPoint: nowhere), saying: [nowhere])
            expectRefusal(try sandbox.refusal(backup: "file://\(nowhere)"), saying: [nowhere])
            expectRefusal(try sandbox.refusal(["--no-such-option"]), status: 2, saying: ["no-such-option"])
            expectRefusal(try sandbox.refusal(["-o", "nosuchoption"]), status: 2, saying: ["nosuchoption"])
            #expect(try sandbox.refusal(backup: "ftp://x/y").status != 0)
            #expect(try sandbox.outcome([backupfs, "mount"]).status == 2)
            #expect(try sandbox.outcome([backupfs, "no-such-command"]).status == 2)
            #expect(try sandbox.outcome([backupfs, "mount", sandbox.main, sandbox.mountPoint]).status != 0)
            // Somebody else's mount is in the way.
            try check("mount", Int(mount("tmpfs", sandbox.mountPoint, "tmpfs", 0, "size=1m")))
            expectRefusal(try sandbox.refusal(), saying: [sandbox.mountPoint])
            umount2(sandbox.mountPoint, Int32(MNT_DETACH))
            #expect(!sandbox.isMounted)
            try sandbox.start()
        }
    }

    @Test(
        "S3: wrong credentials, no bucket and no server are refused, and no secret is shown (I12)",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
    func s3Refusals() async throws {
        try await Sandbox.run(.s3, startsMounted: false) { sandbox in
            let canary = "canary-secret-0123456789"
            let wrongSecret = try sandbox.refusal(environment: ["AWS_SECRET_ACCESS_KEY": canary])
            expectRefusal(wrongSecret, saying: ["SignatureDoesNotMatch"])
            #expect(!wrongSecret.errors.contains(canary) && !wrongSecret.output.contains(canary))
            let wrongKey = try sandbox.refusal(environment: ["AWS_ACCESS_KEY_ID": "nobody"])
            expectRefusal(wrongKey, saying: ["InvalidAccessKeyId"])
            expectRefusal(try sandbox.refusal(environment: ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""]))
            expectRefusal(try sandbox.refusal(backup: "s3://no-such-bucket-here/x"), saying: ["no-such-bucket-here"])
            try sandbox.proxy.set("refuse")
            expectRefusal(try sandbox.refusal(shortClose))
            try sandbox.proxy.set("pass")
            let check = [backupfs, "check", sandbox.main, "--backup", sandbox.backup.url]
            #expect(try sandbox.outcome(check, environment: ["AWS_SECRET_ACCESS_KEY": canary]).status == 1)
            try sandbox.run(check)
            try sandbox.start()
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(!sandbox.log.contains(S3Server.fromEnvironment?.secretKey ?? canary))
        }
    }

    @Test("check says whether a mount would work", arguments: BackupKind.available)
    func checkCommand(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            try sandbox.run([backupfs, "check", sandbox.main, "--backup", sandbox.backup.url])
            try sandbox.backup.takeAway()
            let outcome = try sandbox.outcome([backupfs, "check", sandbox.main, "--backup", sandbox.backup.url])
            #expect(outcome.status == 1)
            try sandbox.backup.bringBack()
            #expect(try names(in: sandbox.main).isEmpty)
        }
    }

    @Test(
        "With a catalogue and a server that is down it mounts degraded, and heals",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
    func degraded() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.backup.takeAway()
            try sandbox.start(shortClose)
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try !sandbox.status().backup.reachable)
            #expect(sandbox.log.localizedCaseInsensitiveContains("warn"))
            #expect(failureOfWriting(sandbox.path("b.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
            try sandbox.backup.bringBack()
            try sandbox.settle()
            #expect(try sandbox.backedUp("b.jpg") == photo(2))
            try writeFile(sandbox.path("c.jpg"), photo(3))
            #expect(try sandbox.backedUp("c.jpg") == photo(3))
        }
    }

    @Test("A prefix that belongs to another catalogue is refused (I8)", arguments: BackupKind.available)
    func foreignPrefix(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try makeDirectory(sandbox.scratch("other"))
            expectRefusal(try sandbox.refusal(main: sandbox.scratch("other")), saying: ["another"])
            // MAIN emptied: an empty directory is not taken for "everything was deleted".
            try sandbox.run(["bash", "-c", "rm -rf \"$0\"/.backupfs \"$0\"/*", sandbox.main])
            expectRefusal(try sandbox.refusal(), saying: ["another"])
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("A place inside or around another backup is refused (I8), and check says so", arguments: BackupKind.available)
    func nestedPrefix(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            let keys = try sandbox.backup.keys()
            try makeDirectory(sandbox.scratch("other"))
            let url = sandbox.backup.url
            if case .directory(let path) = sandbox.backup.place { try sandbox.run(["mkdir", "-p", "\(path)/in/side"]) }
            var places = [("\(url)/in/side", "lies inside the BackupFS backup \(url):")]
            // What is around the directory is around the test's MAIN too, and refused because of that.
            if kind == .s3 { places.append((String(url[..<(url.lastIndex(of: "/") ?? url.endIndex)]), "lies inside")) }
            for (place, reason) in places {
                expectRefusal(
                    try sandbox.refusal(main: sandbox.scratch("other"), backup: place), saying: [reason])
                let check = try sandbox.outcome([backupfs, "check", sandbox.scratch("other"), "--backup", place])
                #expect(check.status == 1 && check.output.contains("failed prefix: "), "\(check.output)")
            }
            #expect(try sandbox.backup.keys() == keys)
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        }
    }

    @Test("Many main copies gone at once remove nothing (I8)", arguments: BackupKind.available)
    func emptiedMain(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            for index in 0..<10 { try writeFile(sandbox.path("\(index).jpg"), photo(index)) }
            try sandbox.stop()
            try sandbox.run(["bash", "-c", "rm \"$0\"/*.jpg", sandbox.main])
            try sandbox.start()
            #expect(try names(in: sandbox.mountPoint).count == 10)
            #expect(try sandbox.status().recoveries.done == 0)
            #expect(try sandbox.backup.keys().count == 10)
            #expect(try readFile(sandbox.path("7.jpg")) == photo(7))
        }
    }

    @Test("Files that MAIN holds at the first mount are adopted and backed up", arguments: BackupKind.available)
    func adoption(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            try sandbox.run(["mkdir", "-p", sandbox.mainPath("a/b")])
            for index in 0..<20 { try writeFile(sandbox.mainPath("a/b/\(index).jpg"), photo(index)) }
            try sandbox.run(["ln", "-s", "b/1.jpg", sandbox.mainPath("a/link")])
            try sandbox.run(["chmod", "700", sandbox.mainPath("a/b")])
            try sandbox.run(["touch", "-d", "2005-05-05 05:05:05", sandbox.mainPath("a/b/3.jpg")])
            if kind == .s3 { try sandbox.proxy.set("hang", path: "/a/b/") }
            try sandbox.start()
            #expect(try names(in: sandbox.path("a/b")).count == 20)
            #expect(try readFile(sandbox.path("a/link")) == photo(1))
            #expect(try status(sandbox.path("a/b")).st_mode & 0o777 == 0o700)
            if kind == .s3 {
                // Progress: nothing has reached the server yet, and all files can be read meanwhile.
                try eventually("uploads are under way") { try sandbox.proxy.hits() > 0 }
                for index in 0..<20 { #expect(try readFile(sandbox.path("a/b/\(index).jpg")) == photo(index)) }
                let adoption = try sandbox.status().adoption
                #expect(adoption.files == 20 && adoption.backedUp == 0)
                try sandbox.proxy.set("refuse")
                try sandbox.proxy.set("pass")
            }
            try eventually("all adopted files are in backup") { try sandbox.status().adoption.backedUp == 20 }
            #expect(try sandbox.status().adoption.files == 20)
            try sandbox.settle()
            for index in 0..<20 { #expect(try sandbox.backedUp("a/b/\(index).jpg") == photo(index)) }
            let inMain = try status(sandbox.mainPath("a/b/3.jpg")).st_mtim.tv_sec
            #expect(try status(sandbox.path("a/b/3.jpg")).st_mtim.tv_sec == inMain)
            #expect(try sandbox.backup.keys().count == 20)
        }
    }

    @Test("What belongs to BackupFS is not to be seen or taken in the mount", arguments: BackupKind.available)
    func privateDirectoryIsHidden(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            #expect(try names(in: sandbox.mountPoint).isEmpty)
            #expect(!exists(sandbox.path(".backupfs")))
            #expect(mkdir(sandbox.path(".backupfs"), 0o700) == -1)
            #expect(failureOfWriting(sandbox.path(".backupfs"), [])?.call == "open")
            #expect(failureOfReading(sandbox.path(".backupfs/catalogue.sqlite"))?.code == ENOENT)
            #expect(try status(sandbox.mainPath(".backupfs")).st_mode & 0o777 == 0o700)
            for name in try filesBelow(sandbox.mainPath(".backupfs")) {
                let mode = try status(sandbox.mainPath(".backupfs/\(name)")).st_mode
                #expect(mode & 0o077 == 0, "\(name) \(String(mode, radix: 8))")
            }
        }
    }

    @Test("sync waits until names are in backup, as segments anybody can read", arguments: BackupKind.available)
    func journal(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try sandbox.shell("mkdir folder; ln -s target link; chmod 700 folder")
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            #expect(try sandbox.status().pending.journal == 0)
            guard case .directory(let store) = sandbox.backup.place else {
                let puts = try String(decoding: readFile(sandbox.scratch("requests")), as: UTF8.self)
                #expect(puts.contains("/.backupfs/journal/"))
                return
            }
            let lines = try sandbox.run(["bash", "-c", "zcat \"$0\"/.backupfs/journal/*.jsonl.gz", store]).output
            for name in ["folder", "link", "target"] {
                #expect(lines.contains("\"\(name)\""), "\(name)")
            }
        }
    }
}
