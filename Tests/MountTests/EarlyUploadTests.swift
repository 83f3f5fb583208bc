// Large files that are sent while they are written: what is in the bucket is what was written, whatever happens on the way.

import Foundation
import Glibc
import Testing

@Suite("Large files are sent before their close", .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
struct EarlyUploadTests {
    private static let part = 5 << 20
    private static let options = ["--part-size", "5M", "-o", "early_uploads"]
    /// Six parts, the last one short.
    private static let bytes = photo(1, size: 27 << 20)

    /// Requests that carry a part, end an upload, or abort one.
    private static func requests(_ sandbox: Sandbox) throws -> (parts: [String], ends: Int, aborts: Int) {
        let parts = try sandbox.requests("PUT").map(\.query).filter { $0.contains("partNumber") }
        return (
            parts, try sandbox.requests("POST").count { $0.query.contains("uploadId") },
            try sandbox.requests("DELETE").count { $0.query.contains("uploadId") }
        )
    }

    private static func parts(_ sandbox: Sandbox, are count: Int) throws {
        try eventually("\(count) parts were sent") { try requests(sandbox).parts.count >= count }
    }

    /// Opens a new file and writes `content` in pieces of a MiB.
    private static func begin(_ path: String, _ content: ArraySlice<UInt8>) throws -> OpenFile {
        let file = try OpenFile(path, O_RDWR | O_CREAT | O_TRUNC)
        for start in stride(from: content.startIndex, to: content.endIndex, by: 1 << 20) {
            try file.write(Array(content[start..<min(content.endIndex, start + 1 << 20)]))
        }
        return file
    }

    private static func expect(_ name: String, is content: [UInt8], in sandbox: Sandbox) throws {
        let isSame = try sandbox.backedUp(name) == content
        #expect(isSame)
        #expect(try sandbox.info(name).sha256 == (try sha256(ofFile: sandbox.path(name), in: sandbox)))
        try eventually("no upload in parts is left") { try sandbox.backup.uploadsUnderWay() == 0 }
    }

    @Test("Written in order: complete parts travel before the close; one creation, each part once, one end")
    func inOrder() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 5)
            #expect(try sandbox.backup.keys().isEmpty, "nothing appears before the close")
            try file.close()
            let requests = try Self.requests(sandbox)
            #expect(requests.parts.count == 6 && requests.ends == 1 && requests.aborts == 0)
            #expect(try sandbox.requests("GET").isEmpty)
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
            let key = try #require(try sandbox.info("a.mp4").backupKey)
            let headers = try sandbox.backup.headers(key)
            #expect(headers["x-amz-meta-backupfs-version"] != nil && headers["x-amz-meta-backupfs-sha256"] == nil)
        }
    }

    @Test("Parts that were changed after they were sent are sent again", arguments: [0, 12 << 20, (10 << 20) - 5])
    func changed(offset: Int) async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 5)
            try file.write([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], at: offset)
            try file.close()
            var expected = Self.bytes
            expected.replaceSubrange(offset..<(offset + 10), with: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
            try Self.expect("a.mp4", is: expected, in: sandbox)
            let again = offset == (10 << 20) - 5 ? 2 : 1
            #expect(try Self.requests(sandbox).parts.count == 6 + again)
        }
    }

    @Test("A write through a mapping is one like any other")
    func mapped() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 5)
            let memory = try #require(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0))
            memory.storeBytes(of: 0x0102_0304, as: UInt32.self)
            msync(memory, 4096, MS_SYNC)
            munmap(memory, 4096)
            try file.close()
            var expected = Self.bytes
            expected.replaceSubrange(0..<4, with: [4, 3, 2, 1])
            try Self.expect("a.mp4", is: expected, in: sandbox)
        }
    }

    @Test("Cut in the middle, and written on", arguments: [3 << 20, 12 << 20, 0])
    func cut(size: Int) async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 3)
            try file.truncate(to: size)
            let more = photo(2, size: 14 << 20)
            try file.write(more, at: size)
            try file.close()
            try Self.expect("a.mp4", is: Array(Self.bytes[..<size]) + more, in: sandbox)
        }
    }

    @Test("Sparse, backwards and small: nothing is sent before the close")
    func otherwise() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let sparse = try OpenFile(sandbox.path("sparse"), O_RDWR | O_CREAT)
            try sparse.write([1, 2, 3], at: 0)
            try sparse.write([4, 5, 6], at: 20 << 20)
            let backwards = try OpenFile(sandbox.path("backwards"), O_RDWR | O_CREAT)
            for start in stride(from: 26 << 20, through: 1 << 20, by: -(1 << 20)) {
                try backwards.write(Array(Self.bytes[start..<(start + 1 << 20)]), at: start)
            }
            let small = try Self.begin(sandbox.path("small"), Self.bytes[..<(9 << 20)])
            #expect(try Self.requests(sandbox).parts.isEmpty)
            try backwards.write(Array(Self.bytes[..<(1 << 20)]), at: 0)
            for file in [sparse, backwards, small] { try file.close() }
            try Self.expect(
                "sparse", is: [1, 2, 3] + [UInt8](repeating: 0, count: (20 << 20) - 3) + [4, 5, 6], in: sandbox)
            try Self.expect("backwards", is: Self.bytes, in: sandbox)
            try Self.expect("small", is: Array(Self.bytes[..<(9 << 20)]), in: sandbox)
        }
    }

    @Test("Deleted while it is sent: the upload is aborted, and nothing is left of it")
    func deleted() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 3)
            try remove(sandbox.path("a.mp4"))
            try file.close()
            try eventually("it is aborted") { try sandbox.backup.uploadsUnderWay() == 0 }
            try sandbox.settle()
            #expect(try sandbox.backup.keys().isEmpty)
        }
    }

    @Test("Renamed while it is sent: it is found under its new name")
    func renamed() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.part"), Self.bytes[...])
            try Self.parts(sandbox, are: 3)
            try rename(sandbox.path("a.part"), to: sandbox.path("b.mp4"))
            try file.close()
            try Self.expect("b.mp4", is: Self.bytes, in: sandbox)
            #expect(try Self.requests(sandbox).parts.count == 6)
        }
    }

    @Test("fsync in the middle, and two handles: each answer is true")
    func twoHandles() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try file.synchronize()
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
            let other = try OpenFile(sandbox.path("a.mp4"), O_WRONLY)
            try other.write([9], at: 6 << 20)
            let more = photo(3, size: 12 << 20)
            try file.write(more)
            try other.close()
            var expected = Self.bytes + more
            expected[6 << 20] = 9
            try Self.expect("a.mp4", is: expected, in: sandbox)
            try file.close()
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == 1)
        }
    }

    @Test("Killed while it is sent: the next mount aborts the upload and backs the file up")
    func killed() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 3)
            sandbox.kill9()
            file.abandon()
            try sandbox.start(Self.options)
            try sandbox.settle()
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
        }
    }

    @Test("Parts that fail or are damaged", arguments: ["status", "reset-upload", "lose-answer", "flip-upload"])
    func faults(mode: String) async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            try sandbox.proxy.set(mode, method: "PUT", path: "a~", count: 3, status: 500)
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try file.close()
            try sandbox.proxy.set("pass")
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
        }
    }

    @Test("The store is down while the file is written, and back before its close")
    func outage() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[..<(14 << 20)])
            try Self.parts(sandbox, are: 2)
            try sandbox.proxy.set("refuse")
            for start in stride(from: 14 << 20, to: 27 << 20, by: 1 << 20) {
                try file.write(Array(Self.bytes[start..<(start + 1 << 20)]))
            }
            usleep(500_000)
            try sandbox.proxy.set("pass")
            try file.close()
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
        }
    }

    @Test("A refused part fails no close that the ordinary way would not fail")
    func refusedParts() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            try sandbox.proxy.set("status", method: "PUT", path: "a~", count: 1, status: 403)
            try Self.begin(sandbox.path("a.mp4"), Self.bytes[...]).close()
            try Self.expect("a.mp4", is: Self.bytes, in: sandbox)
        }
    }

    @Test("I9: the machine is lost before the journal tells of the file; the restore finds its object")
    func restored() async throws {
        try await Sandbox.run(.s3, options: Self.options) { sandbox in
            try writeFile(sandbox.path("before.jpg"), photo(1))
            let file = try Self.begin(sandbox.path("a.mp4"), Self.bytes[...])
            try Self.parts(sandbox, are: 3)
            // Segments tell of what comes after the upload's beginning.
            for number in 1...3 {
                try writeFile(sandbox.path("\(number).jpg"), photo(number))
                try eventually("a segment is sent") { try sandbox.status().pending.journal == 0 }
            }
            try sandbox.proxy.set("status", method: "PUT", path: ".backupfs/journal", status: 503)
            try file.close()
            let key = try #require(try sandbox.info("a.mp4").backupKey)
            sandbox.kill9()
            try sandbox.proxy.set("pass")
            #expect(try sandbox.backup.headers(key)["x-amz-meta-backupfs-sha256"] == nil)
            try sandbox.run(["find", sandbox.main, "-mindepth", "1", "-delete"])
            try sandbox.run(
                [backupfs, "restore", sandbox.main, "--backup", sandbox.backup.url, "--take-over"],
                environment: sandbox.backup.environment)
            try sandbox.startAsRemembered()
            // Nobody asks for the name before: the kernel remembers what is not there.
            try eventually("it is taken in") { sandbox.log.contains("was taken in") }
            #expect(try sandbox.info("a.mp4").backupKey?.hasSuffix(key) == true)
            try eventually("it is there") {
                guard exists(sandbox.path("a.mp4")) else { return false }
                return try readFile(sandbox.path("a.mp4")) == Self.bytes
            }
            #expect(try sandbox.info("a.mp4").sha256 == (try sha256(ofFile: sandbox.path("a.mp4"), in: sandbox)))
        }
    }
}
