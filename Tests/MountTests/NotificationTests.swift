// What the kernel is told without having asked waits inside the kernel, sometimes for an answer of this very daemon.

import Foundation
import Glibc
import Testing

@Suite("What the kernel is told", .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
struct NotificationTests {
    @Test("A slow download and truncates that fail, of that file and of many others, stop nobody (I10)")
    func failedTruncatesDuringADownload() async throws {
        try await Sandbox.run(.s3, options: ["--close-timeout", "4s"], patience: .seconds(600)) { sandbox in
            let others = 40
            // The larger file's download has the longer deadline: it is under way when the truncate fails.
            try writeFile(sandbox.path("a.bin"), photo(0, size: 16 << 20))
            for index in 0..<others { try writeFile(sandbox.path("b\(index).bin"), photo(index, size: 1000)) }
            try remove(sandbox.mainPath("a.bin"))
            try sandbox.proxy.set("hang", path: "/a~")
            let reader = Crowd(1) { _ in failureOfReading(sandbox.path("a.bin"))?.code }
            try eventually("the download hangs") { try sandbox.proxy.hits() >= 1 }
            let first = Crowd(1) { _ in truncate(sandbox.path("a.bin"), 0) == 0 ? 0 : errno }
            try eventually("its truncate has failed") { try sandbox.leftovers().first?.lastError != nil }
            #expect(reader.finished == 0)
            // No file of main can be that long.
            let more = Crowd(others) { index in truncate(sandbox.path("b\(index).bin"), 1 << 60) == 0 ? 0 : errno }
            #expect(more.wait() == Array(repeating: EFBIG, count: others))
            #expect(try sandbox.status().pending.uploads > 0)
            try sandbox.proxy.set("pass")
            #expect(first.wait() == [EIO])
            _ = reader.wait()
            // It may take a probe until the daemon knows that the server is well.
            try eventually("a close succeeds") { failureOfWriting(sandbox.path("new.jpg"), photo(1)) == nil }
            for index in 0..<others { #expect(try readFile(sandbox.path("b\(index).bin")) == photo(index, size: 1000)) }
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.bin") == [])
            #expect(try sandbox.stop() == 0)
            #expect(!sandbox.isMounted)
        }
    }
}
