// Starting programs, and bytes as text.

import Foundation
import Glibc
import Linux
import Testing

@Suite struct ProcessTests {
    private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    @Test func tellsHowAProgramEnded() throws {
        #expect(try ChildProcess.start(.named("true"), words("true")).wait() == 0)
        #expect(try ChildProcess.start(.named("sh"), words("sh", "-c", "exit 7")).wait() == 7)
        #expect(try ChildProcess.start(.named("sh"), words("sh", "-c", "kill -9 $$")).wait() == 128 + 9)
        #expect(throws: SystemError("posix_spawn", ENOENT)) {
            try ChildProcess.start(.named("no-such-program"), words("no-such-program"))
        }
    }

    @Test(arguments: [STDOUT_FILENO, 3]) func passesOneDescriptorOnly(number: Int32) throws {
        let (reader, writer) = try makePipe()
        let child = try ChildProcess.start(
            .file(Array("/bin/sh".utf8)), words("sh", "-c", "ls /proc/self/fd | wc -l >&\(number)"),
            files: .only(writer, at: number), standing: .ownGroup)
        #expect(child.wait(until: .now + .seconds(60)) == 0)
        #expect(try reader.waitUntilReadable(until: .now + .seconds(60)))
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(reader.number, &buffer, buffer.count)
        let open = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        // The standard three, the directory that is listed, and the pipe at 3 if that is its place.
        #expect(open == [number == 3 ? "5" : "4"])
    }

    @Test func knowsTheProcessOfAThread() async {
        #expect(processID(ofThread: getpid()) == getpid())
        let known = await withCheckedContinuation { continuation in
            // Not the process's first thread; the link is PROCESS/task/THREAD.
            Thread {
                var link = [CChar](repeating: 0, count: 64)
                let count = readlink("/proc/thread-self", &link, link.count)
                let text = String(decoding: link.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let thread = text.split(separator: "/").last.flatMap { Int32($0) } ?? 0
                continuation.resume(returning: (thread, processID(ofThread: thread)))
            }.start()
        }
        #expect(known.0 != getpid() && known.1 == getpid())
        for nobody: Int32 in [0, -1, .max] { #expect(processID(ofThread: nobody) == nil) }
    }

    @Test func killsAGroupAtTheDeadline() throws {
        let (reader, writer) = try makePipe()
        let child = try ChildProcess.start(
            .named("sh"), words("sh", "-c", "sleep 1000 & sleep 1000"), files: .only(writer, at: STDOUT_FILENO),
            standing: .ownGroup)
        #expect(child.wait(until: .now + .milliseconds(100)) == nil)
        withExtendedLifetime((reader, writer)) {}
    }

    @Test func waitsForSomethingToRead() throws {
        let (reader, writer) = try makePipe()
        let start = ContinuousClock.now
        #expect(try !reader.waitUntilReadable(until: start + .milliseconds(30)))
        #expect(start.duration(to: .now) >= .milliseconds(30))
        #expect(write(writer.number, [1], 1) == 1)
        #expect(try reader.waitUntilReadable(until: nil))
        #expect(try reader.waitUntilReadable(until: .now - .seconds(1)))
    }

    @Test func writesBytesAsText() {
        #expect(hexadecimal([0, 0x0f, 0xa0, 0xff]) == "000fa0ff")
        #expect(percentEncoded("aZ9-._~ /%") == "aZ9-._~%20%2F%25")
        #expect(percentEncoded([0x2f, 0x0a, 0xff] as [UInt8], keeping: "/") == "/%0A%FF")
    }
}
