// A catalogue that has had its backup is mounted whatever the backup says: what main has can be read. It heals by itself.

import Foundation
import Glibc
import Testing

@Suite("A mount whose backup does not work")
struct DegradedMountTests {
    /// Mounts without the backup, which `repair` brings back, and looks at what programs see before and after.
    private func expectHealing(
        _ sandbox: Sandbox, saying reason: String, _ options: [String] = [], environment: [String: String] = [:],
        repair: () throws -> Void
    ) throws {
        try sandbox.start(shortClose + options, environment: environment)
        #expect(sandbox.log.contains("mounted all the same") && sandbox.log.contains(reason), "\(sandbox.log)")
        #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        #expect(try !sandbox.status().backup.reachable)
        #expect(failureOfWriting(sandbox.path("b.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
        #expect(try sandbox.status().backup.lastError?.contains(reason) == true)
        #expect(try sandbox.leftovers().map(\.key) == ["b.jpg"])
        try repair()
        try sandbox.settle()
        #expect(try sandbox.backedUp("b.jpg") == photo(2))
        try writeFile(sandbox.path("c.jpg"), photo(3))
        #expect(try sandbox.backedUp("c.jpg") == photo(3))
        #expect(try sandbox.status().backup.reachable)
    }

    @Test("A backup directory that is not there, and comes back")
    func missingDirectory() async throws {
        try await Sandbox.run(.directory, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.backup.takeAway()
            try expectHealing(sandbox, saying: "does not exist") { try sandbox.backup.bringBack() }
        }
    }

    @Test(
        "A bucket that is not there, and comes back",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
    func missingBucket() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try sandbox.proxy.set("status", status: 404, code: "NoSuchBucket")
            try expectHealing(sandbox, saying: "does not exist") { try sandbox.proxy.set("pass") }
        }
    }

    @Test(
        "Keys that the server does not know, then the right ones; and a password file that is missing",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"), arguments: [true, false])
    func wrongKeys(isFileThere: Bool) async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            let server = try #require(S3Server.fromEnvironment)
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            let password = sandbox.scratch("password")
            if isFileThere { try writeFile(password, Array("nobody:nothing\n".utf8), mode: 0o600) }
            try expectHealing(
                sandbox, saying: isFileThere ? "InvalidAccessKeyId" : password, ["--passwd-file", password]
            ) {
                try writeFile(password, Array("\(server.accessKey):\(server.secretKey)\n".utf8), mode: 0o600)
            }
        }
    }

    @Test(
        "A prefix that has lost its marker, or has another's, is refused all the same", arguments: BackupKind.available)
    func foreign(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            let prefix = kind == .s3 ? String(sandbox.backup.url.split(separator: "/").last ?? "") + "/" : ""
            try sandbox.backup.removeObject(prefix + ".backupfs/catalogue.json")
            let outcome = try sandbox.refusal()
            #expect(outcome.status == 1 && outcome.errors.contains("no BackupFS marker"), "\(outcome.errors)")
        }
    }
}
