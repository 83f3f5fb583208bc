// What bad servers and bad networks do to uploads and downloads.

import Foundation
import Glibc
import Testing

@Suite("An S3 server that misbehaves", .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
struct S3FaultTests {
    @Test("Write.4: a server that never answers fails the close within its timeout, and reads go on")
    func hangingServer() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try writeFile(sandbox.path("before.jpg"), photo(1))
            try sandbox.proxy.set("hang")
            #expect(failureOfWriting(sandbox.path("a.jpg"), photo(2)) == CallFailure(call: "close", code: EIO))
            #expect(try readFile(sandbox.path("before.jpg")) == photo(1))
            #expect(try sandbox.leftovers().map(\.key) == ["a.jpg"])
            try sandbox.proxy.set("pass")
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(2))
        }
    }

    @Test("Write.4: a full server means EDQUOT or ENOSPC", arguments: [(507, ""), (403, "QuotaExceeded")])
    func fullServer(status: Int, code: String) async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try sandbox.proxy.set("status", method: "PUT", status: status, code: code.isEmpty ? nil : code)
            let failure = failureOfWriting(sandbox.path("a.jpg"), photo(1))
            #expect(failure?.call == "close")
            #expect(failure?.code == EDQUOT || failure?.code == ENOSPC)
            #expect(try sandbox.leftovers().map(\.key) == ["a.jpg"])
            try sandbox.proxy.set("pass")
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test(
        "Write.4: one bad moment is got over without the program noticing",
        arguments: ["status", "reset-upload", "lose-answer", "flip-upload", "reset-download"])
    func oneBadMoment(_ mode: String) async throws {
        try await Sandbox.run(.s3) { sandbox in
            try sandbox.proxy.set(mode, method: "PUT", path: "a~", count: 1)
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(try sandbox.proxy.hits() == 1)
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Write.4: credentials that are refused later fail the close, and it heals")
    func refusedLater() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try sandbox.proxy.set("status", status: 403)
            #expect(failureOfWriting(sandbox.path("a.jpg"), photo(1)) == CallFailure(call: "close", code: EIO))
            try eventually("the reason") { try sandbox.leftovers().first?.lastError?.contains("AccessDenied") == true }
            try sandbox.proxy.set("pass")
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test("An object tells whose it is: mode, owner, time, path, checksum, type")
    func metadata() async throws {
        try await Sandbox.run(.s3) { sandbox in
            try sandbox.shell("mkdir 'd d'; touch 'd d/ä.png'; chmod 640 'd d/ä.png'; chown 7:8 'd d/ä.png'")
            try writeFile(sandbox.path("d d/ä.png"), photo(1))
            let info = try sandbox.info("d d/ä.png")
            let headers = try sandbox.backup.headers(try #require(info.backupKey))
            let times = try status(sandbox.path("d d/ä.png"))
            let fraction = String(String(1_000_000_000 + times.st_mtim.tv_nsec).dropFirst())
            #expect(headers["x-amz-meta-mode"] == "\(0o100640)")
            #expect(headers["x-amz-meta-uid"] == "7")
            #expect(headers["x-amz-meta-gid"] == "8")
            #expect(headers["x-amz-meta-mtime"] == "\(times.st_mtim.tv_sec).\(fraction)")
            #expect(headers["x-amz-meta-backupfs-path"] == "d%20d/%C3%A4.png")
            #expect(headers["x-amz-meta-backupfs-sha256"] == info.sha256)
            #expect(headers["x-amz-meta-backupfs-id"]?.isEmpty == false)
            #expect(headers["x-amz-meta-backupfs-version"].map { info.backupKey?.contains($0) } == true)
            #expect(headers["content-type"] == "image/png")
        }
    }

    @Test(
        "Read.5: one damaged download is got over; no wrong byte is served",
        arguments: ["flip-download", "truncate-download", "reset-download", "status"])
    func oneDamagedDownload(_ mode: String) async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.proxy.set(mode, method: "GET", path: "a~", count: 1)
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try sandbox.proxy.hits() == 1)
            #expect(try readFile(sandbox.mainPath("a.jpg")) == photo(1))
        }
    }

    @Test(
        "Read.5: a download that is always damaged is an error, never wrong bytes",
        arguments: ["flip-download", "truncate-download"])
    func alwaysDamagedDownload(_ mode: String) async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.proxy.set(mode, method: "GET")
            #expect(failureOfReading(sandbox.path("a.jpg"))?.code == EIO)
            #expect(!exists(sandbox.mainPath("a.jpg")))
            #expect(try sandbox.status().recoveries.failed >= 1)
            try sandbox.proxy.set("pass")
            // It may take a probe until the daemon knows that the server is back.
            try eventually("a read succeeds") { failureOfReading(sandbox.path("a.jpg")) == nil }
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
        }
    }

    @Test("Read.5: a server that never answers a read does not stop reads of other files")
    func hangingDownload() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            for index in 0..<2 { try writeFile(sandbox.path("\(index).jpg"), photo(index)) }
            try remove(sandbox.mainPath("0.jpg"))
            try sandbox.proxy.set("hang", method: "GET")
            let readers = Crowd(12) { _ in failureOfReading(sandbox.path("0.jpg"))?.code }
            try eventually("a GET hangs") { try sandbox.proxy.hits() >= 1 }
            #expect(try readFile(sandbox.path("1.jpg")) == photo(1))
            #expect(try names(in: sandbox.mountPoint) == ["0.jpg", "1.jpg"])
            #expect(readers.wait().allSatisfy { $0 == EIO })
            try sandbox.proxy.set("pass")
            // It may take a probe until the daemon knows that the server is back.
            try eventually("a read succeeds") { failureOfReading(sandbox.path("0.jpg")) == nil }
            #expect(try readFile(sandbox.path("0.jpg")) == photo(0))
        }
    }

    @Test("500 closes that wait on a server that never answers stop neither ls nor cat (I10)")
    func fiveHundredClosesWaiting() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "1h"]) { sandbox in
            try writeFile(sandbox.path("here.jpg"), photo(1))
            try makeDirectory(sandbox.path("many"))
            try sandbox.proxy.set("hang", method: "PUT", path: "/many/")
            let count = 500
            for index in 0..<count { try writeFile(sandbox.scratch("\(index)"), photo(index, size: 2000)) }
            // A shell that starts 500 programs; each says how it ended.
            let script = "for n in $(seq 0 499); do { cp $0/$n $1/many/$n; echo $?; } & done; wait"
            let writers = try sandbox.launch(["bash", "-c", script, sandbox.root, sandbox.mountPoint])
            try eventually("uploads hang in the server") { try sandbox.proxy.hits() > 0 }
            try eventually("all files are there") { try names(in: sandbox.path("many")).count == count }
            try sandbox.run(["ls", "-l", sandbox.mountPoint, sandbox.path("many")])
            #expect(try sandbox.run(["cat", sandbox.path("here.jpg")]).status == 0)
            try sandbox.run(["cat", sandbox.path("many/0")])
            try sandbox.run(["mkdir", sandbox.path("another")])
            #expect(writers.printed.isEmpty)
            #expect(try sandbox.status().pending.uploads == count)
            // The server dies and comes back: every close ends, and every file reaches the bucket.
            try sandbox.proxy.set("refuse")
            try sandbox.proxy.set("pass")
            let statuses = try writers.wait().output.split(separator: "\n")
            #expect(statuses.count == count)
            try sandbox.settle()
            #expect(try sandbox.leftovers().isEmpty)
            for index in stride(from: 0, to: count, by: 50) {
                #expect(try sandbox.backedUp("many/\(index)") == photo(index, size: 2000))
            }
        }
    }

    @Test("Names that do not exist, and listings, ask no server (I7)")
    func namesAskNoServer() async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.run([backupfs, "sync", sandbox.mountPoint])
            try sandbox.proxy.set("refuse")
            for index in 0..<50 { #expect(failureOfReading(sandbox.path("no-\(index)"))?.code == ENOENT) }
            try sandbox.run(["ls", "-lR", sandbox.mountPoint])
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try sandbox.status().backup.reachable)
        }
    }
}
