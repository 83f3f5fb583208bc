// `backupfs check` on settings that are wrong: one line says what to change.

import Foundation
import Glibc
import Testing

@Suite("backupfs check")
struct CheckTests {
    private static let anyKeys = ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "CANARY"]

    /// Runs `check`, which must fail with one line; returns that line.
    private static func failure(
        _ sandbox: Sandbox, _ options: [String], backup: String = "s3://photos/check",
        _ environment: [String: String] = anyKeys
    ) throws -> String {
        let outcome = try sandbox.outcome(
            [backupfs, "check", sandbox.main, "--backup", backup] + options, environment: environment)
        #expect(outcome.status == 1)
        #expect(!outcome.output.contains("CANARY") && !outcome.errors.contains("CANARY"))
        let failed = outcome.output.split(separator: "\n").filter { $0.hasPrefix("failed ") }
        #expect(failed.count == 1, "\(outcome.output)")
        return failed.first.map(String.init) ?? ""
    }

    @Test("Good settings pass, and leave nothing behind", arguments: BackupKind.available)
    func good(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            let output = try sandbox.run([backupfs, "check", sandbox.main, "--backup", sandbox.backup.url]).output
            let wanted =
                ["main", "fuse", "configuration", "backup", "objects"] + (kind == .s3 ? ["proof", "clock"] : [])
            #expect(output.split(separator: "\n").map { $0.split(separator: ":")[0] } == wanted.map { "ok     \($0)" })
            #expect(try names(in: sandbox.main).isEmpty)
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }

    @Test("What a real server refuses: secret, access key, bucket", .enabled(if: S3Server.isThere))
    func refused() async throws {
        try await Sandbox.run(.s3, startsMounted: false) { sandbox in
            let url = sandbox.backup.url
            let secret = try Self.failure(sandbox, [], backup: url, ["AWS_SECRET_ACCESS_KEY": "CANARY"])
            #expect(secret.contains("the secret key does not belong to the access key"), "\(secret)")
            let key = try Self.failure(sandbox, [], backup: url, ["AWS_ACCESS_KEY_ID": "nobody"])
            #expect(key.contains("does not know the access key"), "\(key)")
            let bucket = try Self.failure(sandbox, [], backup: "s3://no-such-bucket-here/p", [:])
            #expect(bucket.contains("s3://no-such-bucket-here/p does not exist: create it"), "\(bucket)")
        }
    }

    private static let reader = ProcessInfo.processInfo.environment["BACKUPFS_TEST_S3_READER"]?.split(separator: ":")

    @Test(
        "Credentials that may only read do not pass",
        .enabled(if: S3Server.isThere && reader?.count == 2, "needs BACKUPFS_TEST_S3_READER=KEY:SECRET"))
    func readOnly() async throws {
        try await Sandbox.run(.s3, startsMounted: false) { sandbox in
            let reader = try #require(Self.reader).map(String.init)
            let line = try Self.failure(
                sandbox, [], backup: sandbox.backup.url,
                ["AWS_ACCESS_KEY_ID": reader[0], "AWS_SECRET_ACCESS_KEY": reader[1]])
            #expect(line.hasPrefix("failed objects: writing .backupfs/check/"))
            #expect(line.contains("let them list, read, write and delete below the prefix"))
        }
    }

    @Test(
        "What S3 servers say to a wrong region and to a wrong clock",
        arguments: [
            (
                "400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>",
                ["correct --region", "the bucket is in region eu-west-1"]
            ),
            (
                "301 Moved Permanently", "PermanentRedirect", "<Region>eu-west-1</Region>",
                ["the bucket is in region eu-west-1: correct the endpoint or the region"]
            ),
            ("403 Forbidden", "RequestTimeTooSkewed", "", ["failed clock: ", "set this machine's clock"]),
            ("403 Forbidden", "AccessDenied", "", ["let them list, read, write and delete below the prefix"]),
            ("403 Forbidden", "ExpiredToken", "", ["the session token is no longer good"]),
        ])
    func answers(status: String, code: String, more: String, hints: [String]) async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let server = try FakeServer(sandbox, status: status, code: code, more: more)
            defer { server.stop() }
            let line = try Self.failure(sandbox, ["--endpoint", "http://127.0.0.1:\(server.port)"])
            for hint in hints { #expect(line.contains(hint), "\(line)") }
        }
    }

    private static func lines(_ sandbox: Sandbox, region: String, ahead: Int) throws -> (Int32, [Substring]) {
        let server = try ElsewhereServer(sandbox, region: region, ahead: ahead)
        defer { server.stop() }
        let outcome = try sandbox.outcome(
            [backupfs, "check", sandbox.main, "--backup", "s3://photos/check"]
                + ["--endpoint", "http://127.0.0.1:\(server.port)"], environment: anyKeys)
        return (outcome.status, outcome.output.split(separator: "\n"))
    }

    @Test("Another region is found out, and told; everything works")
    func otherRegion() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let (status, lines) = try Self.lines(sandbox, region: "eu-west-1", ahead: 0)
            #expect(status == 0)
            #expect(lines.contains("ok     region: the bucket is in eu-west-1: write --region eu-west-1"), "\(lines)")
            #expect(lines.contains("ok     objects: wrote, read and removed one"))
        }
    }

    @Test("A clock two hours off is made good and told", arguments: [(7200, "behind"), (-7200, "ahead of")])
    func skewedClock(ahead: Int, side: String) async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let (status, lines) = try Self.lines(sandbox, region: "us-east-1", ahead: ahead)
            #expect(status == 1)
            #expect(lines.contains("ok     objects: wrote, read and removed one"), "\(lines)")
            let failed = lines.filter { $0.hasPrefix("failed ") }
            #expect(failed.count == 1)
            // The date has whole seconds, and some have passed.
            let hint = try #require(failed.first)
            #expect(
                hint.contains(
                    /^failed clock: 1(19|20) minutes (behind|ahead of) the server's: set this machine's clock/))
            #expect(hint.contains(side))
        }
    }

    @Test("http to a port for TLS, whatever that answers")
    func plainToTLS() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let certificate = try FakeServer.Certificate(sandbox, for: "IP:127.0.0.1")
            let silent = try FakeServer(sandbox, status: "200 OK", body: "", certificate)
            let talking = try FakeServer(
                sandbox, status: "400 Bad Request", body: "Client sent an HTTP request to an HTTPS server.\n")
            defer {
                silent.stop()
                talking.stop()
            }
            for server in [silent, talking] {
                let line = try Self.failure(sandbox, ["--endpoint", "http://127.0.0.1:\(server.port)"])
                #expect(line.contains("write https://"), "\(line)")
            }
        }
    }

    @Test("https to a port for plain http")
    func tlsToPlain() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let server = try FakeServer(sandbox, status: "400 Bad Request", body: "")
            defer { server.stop() }
            let line = try Self.failure(sandbox, ["--endpoint", "https://127.0.0.1:\(server.port)"])
            #expect(line.contains("does not speak TLS: write http://"), "\(line)")
        }
    }

    @Test("A certificate that is not trusted, one for another host, one that is over; the right one with --ca-bundle")
    func certificates() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            func line(_ host: String, until end: String = "20990101", isTrusted: Bool) throws -> String {
                let certificate = try FakeServer.Certificate(sandbox, for: host, until: end)
                let server = try FakeServer(
                    sandbox, status: "403 Forbidden", body: "<Error><Code>AccessDenied</Code></Error>", certificate)
                defer { server.stop() }
                return try Self.failure(
                    sandbox,
                    ["--endpoint", "https://127.0.0.1:\(server.port)"]
                        + (isTrusted ? ["--ca-bundle", certificate.certificate] : []))
            }
            let unknown = try line("IP:127.0.0.1", isTrusted: false)
            #expect(unknown.contains("give its CA's certificate with --ca-bundle"), "\(unknown)")
            let other = try line("DNS:other.example", isTrusted: true)
            #expect(other.contains("write the host name that the certificate has"), "\(other)")
            let old = try line("IP:127.0.0.1", until: "20200201", isTrusted: true)
            #expect(old.contains("renew the certificate"), "\(old)")
            // The right one: the answer is heard.
            let right = try line("IP:127.0.0.1", isTrusted: true)
            #expect(right.contains("AccessDenied"), "\(right)")
        }
    }

    @Test("A host that does not exist, and a port that nobody listens on")
    func nobody() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            let unknown = try Self.failure(sandbox, ["--endpoint", "https://no-such-host.invalid"])
            #expect(unknown.contains("there is no host no-such-host.invalid: correct the endpoint"), "\(unknown)")
            let server = try FakeServer(sandbox, status: "200 OK", body: "")
            server.stop()
            let refused = try Self.failure(sandbox, ["--endpoint", "http://127.0.0.1:\(server.port)"])
            #expect(refused.contains("nobody accepts connections at 127.0.0.1:\(server.port)"), "\(refused)")
        }
    }
}
