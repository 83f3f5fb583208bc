// Reads that the kernel answers from main by itself: that they are, and that nobody notices otherwise.

import Foundation
import Glibc
import Testing

@Suite("Passthrough")
struct PassthroughTests {
    /// Whether this kernel has it.
    static let isThere: Bool = {
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let numbers = release.split(separator: ".").prefix(2).compactMap { Int($0) }
        return geteuid() == 0 && (numbers + [0, 0]).lexicographicallyPrecedes([6, 9]) == false
    }()

    /// What the daemon has read so far (rchar of /proc/PID/io).
    private func bytesRead(_ sandbox: Sandbox) throws -> Int {
        let text = String(decoding: try readFile("/proc/\(sandbox.daemonProcess())/io"), as: UTF8.self)
        return text.split(separator: "\n").first.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
    }

    private func read(_ file: OpenFile, _ count: Int, at offset: Int) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let done = try check("pread", pread(file.number, &buffer, count, offset))
        return Array(buffer[..<done])
    }

    private func overwrite(_ file: OpenFile, _ bytes: [UInt8], at offset: Int) throws {
        #expect(try check("pwrite", pwrite(file.number, bytes, bytes.count, offset)) == bytes.count)
    }

    /// A shared mapping of a file's first `length` bytes.
    private func map(_ file: OpenFile, _ length: Int, writing: Bool) throws -> UnsafeMutableRawBufferPointer {
        let protection = writing ? PROT_READ | PROT_WRITE : PROT_READ
        guard let start = mmap(nil, length, protection, MAP_SHARED, file.number, 0), start != MAP_FAILED else {
            throw CallFailure(call: "mmap", code: errno)
        }
        return UnsafeMutableRawBufferPointer(start: start, count: length)
    }

    @Test("Reads do not come to the daemon, status tells, and -o nopassthrough brings them back", .enabled(if: isThere))
    func readsPassBy() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let content = photo(1, size: 4 << 20)
            try writeFile(sandbox.path("a.jpg"), content)
            #expect(try sandbox.status().passthrough == .init(state: "on", reason: nil, files: 0))
            let before = try bytesRead(sandbox)
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDONLY)
            #expect(try file.readAll() == content)
            #expect(try bytesRead(sandbox) - before < 1 << 20)
            #expect(try sandbox.status().passthrough.files == 1)
            try file.close()
            try eventually("it is closed") { try sandbox.status().passthrough.files == 0 }
            try sandbox.stop()
            try sandbox.start(["-o", "nopassthrough"])
            let status = try sandbox.status().passthrough
            #expect(status.state == "off")
            #expect(status.reason?.contains("nopassthrough") == true)
            #expect(try readFile(sandbox.path("a.jpg")) == content)
        }
    }

    @Test("A writer beside a reader is seen at once, and backed up by its close (I1)")
    func writerBesideReader() async throws {
        try await Sandbox.run(.directory) { sandbox in
            var content = photo(1, size: 300_000)
            try writeFile(sandbox.path("a.jpg"), content)
            let reader = try OpenFile(sandbox.path("a.jpg"), O_RDONLY)
            #expect(try read(reader, 10, at: 0) == Array(content[..<10]))
            let writer = try OpenFile(sandbox.path("a.jpg"), O_WRONLY)
            content.replaceSubrange(1000..<1005, with: Array("hello".utf8))
            try overwrite(writer, Array("hello".utf8), at: 1000)
            #expect(try read(reader, 300_000, at: 0) == content)
            try writer.close()
            #expect(try sandbox.backedUp("a.jpg") == content)
            // O_SYNC is an fsync each, past the kernel's page cache, too.
            let synced = try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_SYNC)
            content.replaceSubrange(0..<2, with: [7, 7])
            try overwrite(synced, [7, 7], at: 0)
            #expect(try sandbox.backedUp("a.jpg") == content)
            try synced.close()
            // What comes later goes through the page cache of the mount again, which knows nothing old.
            try reader.close()
            let both = try OpenFile(sandbox.path("a.jpg"), O_RDWR)
            #expect(try both.readAll() == content)
            try both.close()
        }
    }

    @Test("A file is truncated beside a reader: lengths and bytes are right everywhere")
    func truncateBesideReader() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let content = photo(1, size: 300_000)
            let path = sandbox.path("a.jpg")
            try writeFile(path, content)
            let reader = try OpenFile(path, O_RDONLY)
            #expect(try read(reader, 5, at: 0) == Array(content[..<5]))
            try check("truncate", Int(truncate(path, 1000)))
            #expect(try read(reader, 200_000, at: 0) == Array(content[..<1000]))
            #expect(lseek(reader.number, 0, SEEK_END) == 1000)
            #expect(try sandbox.backedUp("a.jpg") == Array(content[..<1000]))
            let appending = try OpenFile(path, O_WRONLY | O_APPEND)
            try appending.write([1, 2, 3])
            try appending.close()
            #expect(try read(reader, 200_000, at: 1000) == [1, 2, 3])
            #expect(try status(path).st_size == 1003)
            let emptied = try OpenFile(path, O_RDONLY | O_TRUNC)
            #expect(try read(reader, 200_000, at: 0) == [])
            try emptied.close()
            try reader.close()
            #expect(try sandbox.backedUp("a.jpg") == [])
            #expect(try readFile(path) == [])
        }
    }

    @Test("Unlinked, replaced and mapped files are read to the end")
    func unlinkedAndMapped() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let content = photo(1, size: 300_000)
            for name in ["a", "b", "c"] { try writeFile(sandbox.path(name), content) }
            let unlinked = try OpenFile(sandbox.path("a"), O_RDONLY)
            let replaced = try OpenFile(sandbox.path("b"), O_RDONLY)
            let mapped = try OpenFile(sandbox.path("c"), O_RDONLY)
            let pages = try map(mapped, content.count, writing: false)
            try remove(sandbox.path("a"))
            try writeFile(sandbox.path("b.new"), photo(2))
            try rename(sandbox.path("b.new"), to: sandbox.path("b"))
            #expect(try unlinked.readAll() == content)
            #expect(try replaced.readAll() == content)
            #expect(try readFile(sandbox.path("b")) == photo(2))
            #expect(pages.elementsEqual(content))
            let writer = try OpenFile(sandbox.path("c"), O_WRONLY)
            try overwrite(writer, [9, 9, 9], at: 50_000)
            #expect(Array(pages[50_000..<50_003]) == [9, 9, 9])
            try writer.close()
            munmap(pages.baseAddress, pages.count)
            for file in [unlinked, replaced, mapped] { try file.close() }
            try sandbox.settle()
        }
    }

    @Test("What is written through a shared mapping beside a reader is backed up, by close and after the last one (I1)")
    func sharedMappingBesideReader() async throws {
        try await Sandbox.run(.directory) { sandbox in
            var content = photo(1, size: 300_000)
            try writeFile(sandbox.path("a"), content)
            let reader = try OpenFile(sandbox.path("a"), O_RDONLY)
            let writer = try OpenFile(sandbox.path("a"), O_RDWR)
            let pages = try map(writer, content.count, writing: true)
            let again = try OpenFile(sandbox.path("a"), O_WRONLY)
            // The second write to a page that is written to already, and a close after each.
            for (round, value) in ([1, 2, 3] as [UInt8]).enumerated() {
                content[40_000 + round] = value
                pages[40_000 + round] = value
                #expect(try read(reader, 1, at: 40_000 + round) == [value])
                let descriptor = dup(again.number)
                try check("close", Int(close(descriptor)))
                #expect(try sandbox.backedUp("a") == content)
            }
            try again.close()
            try writer.close()
            content[0] = 77
            pages[0] = 77
            // It is no damage.
            #expect(try readFile(sandbox.path("a")) == content)
            try eventually("the background backs it up") { try sandbox.backedUp("a") == content }
            content[1] = 78
            pages[1] = 78
            munmap(pages.baseAddress, pages.count)
            try reader.close()
            try eventually("the rest, too") { try sandbox.backedUp("a") == content }
            try eventually("nobody watches any more") { try sandbox.status().passthrough.files == 0 }
            #expect(try readFile(sandbox.path("a")) == content)
            try sandbox.settle()
            #expect(try sandbox.status().aside == 0)
        }
    }

    @Test("A file opened for reading and writing beside a reader, and not changed, is not uploaded again")
    func unchangedBesideReader() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try writeFile(sandbox.path("a"), photo(1))
            let reader = try OpenFile(sandbox.path("a"), O_RDONLY)
            let writer = try OpenFile(sandbox.path("a"), O_RDWR)
            #expect(try writer.readAll() == photo(1))
            try writer.close()
            try reader.close()
            try eventually("nobody watches any more") { try sandbox.status().passthrough.files == 0 }
            #expect(try sandbox.info("a").version == 1)
        }
    }

    @Test("A lost file is brought back by its reader, and passed through from its next open on")
    func lostAndBack() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try writeFile(sandbox.path("a"), photo(1))
            try remove(sandbox.mainPath("a"))
            let first = try OpenFile(sandbox.path("a"), O_RDONLY)
            #expect(try first.readAll() == photo(1))
            let second = try OpenFile(sandbox.path("a"), O_RDONLY)
            #expect(try second.readAll() == photo(1))
            #expect(try sandbox.status().passthrough.files == 0)
            try first.close()
            try second.close()
            let third = try OpenFile(sandbox.path("a"), O_RDONLY)
            if Self.isThere { #expect(try sandbox.status().passthrough.files == 1) }
            #expect(try third.readAll() == photo(1))
            try third.close()
        }
    }

    @Test("A copy that has rotten while it is read is not served to who opens the file next (I4)")
    func rottenWhileRead() async throws {
        try await Sandbox.run(.directory) { sandbox in
            let content = photo(1)
            try writeFile(sandbox.path("a"), content)
            let reader = try OpenFile(sandbox.path("a"), O_RDONLY)
            let behind = try OpenFile(sandbox.mainPath("a"), O_WRONLY)
            try overwrite(behind, [0, 0, 0, 0], at: 99)
            try behind.close()
            // Only who could map the old copy is refused, and only as long as somebody has it.
            let outcome = failureOfReading(sandbox.path("a"))
            #expect(Self.isThere ? outcome?.code == EIO : outcome == nil)
            try reader.close()
            try eventually("it can be opened again") { failureOfReading(sandbox.path("a")) == nil }
            #expect(try readFile(sandbox.path("a")) == content)
            #expect(try sandbox.status().aside == 1)
        }
    }

    @Test("Programs are executed, and are busy for writers meanwhile")
    func executed() async throws {
        try await Sandbox.run(.directory) { sandbox in
            try sandbox.run(["cp", "/bin/sleep", sandbox.path("sleep")])
            let program = try sandbox.launch([sandbox.path("sleep"), "60"])
            defer { program.send(SIGKILL) }
            try eventually("it runs") { Glibc.open(sandbox.path("sleep"), O_WRONLY) < 0 && errno == ETXTBSY }
            #expect(program.statusIfEnded() == nil)
        }
    }

    @Test("Set-id bits go when an ordinary user writes beside a reader")
    func setIDBesideReader() async throws {
        try await Sandbox.run(.directory, options: ["-o", "allow_other"]) { sandbox in
            try sandbox.run(["chmod", "755", sandbox.root, sandbox.mountPoint])
            try writeFile(sandbox.path("a"), photo(1))
            try sandbox.shell("chmod 6777 a")
            let reader = try OpenFile(sandbox.path("a"), O_RDONLY)
            try sandbox.run([
                "setpriv", "--reuid=65534", "--clear-groups", "bash", "-c", "printf x 1<>\(sandbox.path("a"))",
            ])
            try eventually("the bits are gone") { try status(sandbox.path("a")).st_mode & 0o7777 == 0o777 }
            try reader.close()
        }
    }
}
