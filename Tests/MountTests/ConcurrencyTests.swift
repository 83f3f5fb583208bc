// What happens at once with one file (docs/SEMANTICS.md, At the same time): the server is slow or hangs, and programs go on.

import Foundation
import Glibc
import Testing

@Suite("At the same time", .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
struct ConcurrencyTests {
    /// Lets `body` happen while the upload of a close hangs, and the upload go on after it.
    private func duringUpload(
        of name: String, _ bytes: [UInt8], in sandbox: Sandbox, _ body: () throws -> Void
    ) throws -> Program.Outcome {
        try writeFile(sandbox.scratch("content"), bytes)
        try sandbox.proxy.set("hang", method: "PUT", path: "~")
        let writer = try sandbox.launch(["cp", sandbox.scratch("content"), sandbox.path(name)])
        try eventually("the upload hangs") { try sandbox.proxy.hits() >= 1 }
        #expect(writer.statusIfEnded() == nil)
        try body()
        // Open connections are reset; the upload is tried again.
        try sandbox.proxy.set("refuse")
        try sandbox.proxy.set("pass")
        return try writer.wait()
    }

    @Test("A file that is renamed while it is uploaded: the close succeeds, one object, under the new name")
    func renameDuringUpload() async throws {
        try await Sandbox.run(.s3) { sandbox in
            try makeDirectory(sandbox.path("d"))
            let outcome = try duringUpload(of: "a.jpg", photo(1), in: sandbox) {
                try rename(sandbox.path("a.jpg"), to: sandbox.path("d/b.jpg"))
                try rename(sandbox.path("d"), to: sandbox.path("e"))
                #expect(try readFile(sandbox.path("e/b.jpg")) == photo(1))
            }
            #expect(outcome.status == 0, "\(outcome.errors)")
            try sandbox.settle()
            #expect(try sandbox.backedUp("e/b.jpg") == photo(1))
            #expect(try sandbox.backup.keys().count == 1)
            try remove(sandbox.mainPath("e/b.jpg"))
            #expect(try readFile(sandbox.path("e/b.jpg")) == photo(1))
        }
    }

    @Test("A file that is unlinked while it is uploaded: the close succeeds, and nothing stays in the bucket")
    func unlinkDuringUpload() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let outcome = try duringUpload(of: "a.jpg", photo(1), in: sandbox) {
                try remove(sandbox.path("a.jpg"))
                #expect(try names(in: sandbox.mountPoint).isEmpty)
            }
            #expect(outcome.status == 0, "\(outcome.errors)")
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }

    @Test("A file that is written to while it is uploaded: no mixture; the last close's content stays")
    func writeDuringUpload() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let (before, after) = (photo(1), photo(2, size: 100_000))
            let second = try OpenFile(sandbox.path("a.jpg"), O_RDWR | O_CREAT)
            let outcome = try duringUpload(of: "a.jpg", before, in: sandbox) {
                try check("pwrite", pwrite(second.number, after, after.count, 0))
                #expect(try readFile(sandbox.path("a.jpg")).prefix(100_000) == after[...])
            }
            #expect(outcome.status == 0, "\(outcome.errors)")
            try second.close()
            let expected = after + before[100_000...]
            #expect(try sandbox.backedUp("a.jpg") == expected)
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("A file that is truncated while it is uploaded: both calls succeed, and backup has the short one")
    func truncateDuringUpload() async throws {
        try await Sandbox.run(.s3) { sandbox in
            var truncation: Program?
            let outcome = try duringUpload(of: "a.jpg", photo(1), in: sandbox) {
                truncation = try sandbox.launch(["truncate", "-s", "1000", sandbox.path("a.jpg")])
                try eventually("the file is short") { try status(sandbox.mainPath("a.jpg")).st_size == 1000 }
            }
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try truncation?.wait().status == 0)
            #expect(try sandbox.backedUp("a.jpg") == Array(photo(1).prefix(1000)))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("A file that is unlinked while it is recovered: its readers get the bytes, and nothing stays")
    func unlinkDuringRecovery() async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try sandbox.stop()
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.start()
            try sandbox.proxy.set("hang", method: "GET", path: "a~")
            let reader = try sandbox.launch(["cat", sandbox.path("a.jpg")])
            try eventually("the download hangs") { try sandbox.proxy.hits() >= 1 }
            try remove(sandbox.path("a.jpg"))
            try sandbox.proxy.set("refuse")
            try sandbox.proxy.set("pass")
            #expect(try reader.wait().status == 0)
            #expect(try readFile(sandbox.scratch(try outputName(of: "cat", in: sandbox))) == photo(1))
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
            #expect(try names(in: sandbox.main) == [".backupfs"])
        }
    }

    @Test(
        "Closes by several processes at once: each returns 0 only with its bytes in the bucket, and they share uploads")
    func closesAtOnce() async throws {
        try await Sandbox.run(.s3) { sandbox in
            let size = 50_000
            try writeFile(sandbox.path("a.jpg"), [UInt8](repeating: 0, count: 8 * size))
            try writeFile(sandbox.scratch("parts"), photo(1, size: 8 * size))
            let puts = try sandbox.requests("PUT").count
            try sandbox.proxy.set("delay", method: "PUT", ms: 300)
            let writers = try (0..<8).map { index in
                try sandbox.launch([
                    "dd", "if=\(sandbox.scratch("parts"))", "of=\(sandbox.path("a.jpg"))", "bs=\(size)", "count=1",
                    "skip=\(index)", "seek=\(index)", "conv=notrunc", "status=none",
                ])
            }
            for writer in writers {
                let outcome = try writer.wait()
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
            #expect(try sandbox.backedUp("a.jpg") == photo(1, size: 8 * size))
            #expect(try sandbox.requests("PUT").count <= puts + 8)
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    /// The file with what the last program of a name has printed: its bytes are no text.
    private func outputName(of program: String, in sandbox: Sandbox) throws -> String {
        let found = try names(in: sandbox.root).filter { $0.hasSuffix("-\(program).out") }
        return try #require(found.last)
    }
}

@Suite("One after the other, at once")
struct PromptTests {
    @Test("Write.3: a file that was only created can be changed at once, whatever its row says yet")
    func changedRightAfterCreation() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let failures = concurrently(8) { thread -> [CallFailure] in
                var failures: [CallFailure] = []
                for index in 0..<40 {
                    do throws(CallFailure) {
                        let path = sandbox.path("\(thread)-\(index)")
                        // Not open for writing: this close waits for nothing.
                        try OpenFile(path, O_RDONLY | O_CREAT | O_EXCL).close()
                        try check("truncate", Int(truncate(path, 123)))
                    } catch {
                        failures.append(error)
                    }
                }
                return failures
            }
            #expect(failures.flatMap { $0 } == [])
            try sandbox.settle()
            #expect(try sandbox.backedUp("7-39") == [UInt8](repeating: 0, count: 123))
        }
    }
}
