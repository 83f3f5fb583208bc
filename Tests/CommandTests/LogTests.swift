import FileSystemCore
import Foundation
import Glibc
import Linux
import Logging
import Synchronization
import Testing

@testable import Command

@Suite("The log", .timeLimit(.minutes(40)))
struct LogTests {
    private let directory: TemporaryDirectory
    private let descriptor: Descriptor
    /// What the log takes for the time.
    private final class Clock: Sendable {
        let instant = Mutex(ContinuousClock.now)

        func advance(_ duration: Duration) { instant.withLock { $0 += duration } }
    }
    private let clock = Clock()

    init() throws {
        directory = try TemporaryDirectory()
        descriptor = try Descriptor(
            taking: directory.path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }, from: "open")
    }

    private func file(limit: Int64 = LogFile.usualLimit) throws -> LogFile {
        try LogFile(
            directory: descriptor.number, name: "backupfs.log", limit: limit, kept: 4, takesStandardError: false)
    }

    private func sink(_ format: LogFormat = .text) throws -> LogSink {
        LogSink(try file(), format: format) { [clock] in clock.instant.withLock { $0 } }
    }

    private func lines(_ name: String = "backupfs.log") throws -> [String] {
        try String(contentsOfFile: directory.text + "/" + name, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test("a long log is renamed, four older ones are kept, and no line is torn or lost but with the oldest file")
    func rotation() throws {
        // Ten lines of ten bytes fill a file.
        let file = try file(limit: 100)
        for number in 1000..<1095 { file.write("line \(number)") }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.text).sorted()
                == ["backupfs.log"] + (1...4).map { "backupfs.log.\($0)" })
        let kept = try ["backupfs.log.4", "backupfs.log.3", "backupfs.log.2", "backupfs.log.1", "backupfs.log"]
            .flatMap { try lines($0) }
        #expect(kept == (1050..<1095).map { "line \($0)" })
        // Another process of the same mount goes on at the end.
        try self.file(limit: 100).write("line 1095")
        #expect(try lines().last == "line 1095" && lines().count == 6)
    }

    @Test("lines of many threads are each in one of the files, and whole")
    func concurrentRotation() throws {
        let file = try file(limit: 25_000)
        DispatchQueue.concurrentPerform(iterations: 8) { writer in
            for number in 0..<1000 { file.write("line \(writer) \(1000 + number)") }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.text)
        let all = try names.flatMap { try lines($0) }
        #expect(names.count == 4 && Set(all).count == 8000 && all.allSatisfy { $0.count == 11 })
    }

    @Test("where no new file can be made, the old one goes on")
    func noNewFile() throws {
        let file = try file(limit: 10)
        // A directory has the name that the new file needs first.
        #expect(mkdir(directory.text + "/backupfs.log.new", 0o700) == 0)
        for number in 0..<5 { file.write("line \(number)") }
        #expect(try lines() == (0..<5).map { "line \($0)" })
    }

    @Test(
        "a thing that is said of a thousand objects is said ten times and then counted",
        arguments: [LogFormat.text, .json])
    func repetition(format: LogFormat) throws {
        let sink = try sink(format)
        let logger = LineLogHandler.logger(sink, level: .debug)
        for number in 0..<1000 { logger.warning("not removed", metadata: ["key": "k\(number)"]) }
        logger.error("not removed", metadata: ["key": "another level"])
        logger.warning("another thing")
        #expect(try lines().count == 12)
        // Nobody's minute is over.
        sink.writeCounts()
        #expect(try lines().count == 12)
        clock.advance(.seconds(61))
        sink.writeCounts()
        sink.writeCounts()
        let last = try #require(try lines().last)
        #expect(try lines().count == 13)
        #expect(last.contains("990") && last.contains("k999") && last.contains("not removed"))
        #expect(last.contains("leftovers"))
        // A new minute begins.
        for number in 0..<11 { logger.warning("not removed", metadata: ["key": "n\(number)"]) }
        #expect(try lines().count == 23)
        clock.advance(.seconds(61))
        logger.warning("not removed", metadata: ["key": "later"])
        #expect(try lines().count == 25)
        #expect(try lines()[23].contains("n10") && lines()[24].contains("later"))
    }

    @Test("counts are not lost with the end of the process, and who debugs sees each line")
    func ends() throws {
        let sink = try sink()
        let logger = LineLogHandler.logger(sink, level: .debug)
        for number in 0..<30 { logger.debug("step", metadata: ["number": "\(number)"]) }
        #expect(try lines().count == 30)
        for _ in 0..<12 { logger.error("failed") }
        sink.writeCounts(all: true)
        #expect(try lines().count == 41)
        #expect(try lines().last?.contains("more=2") == true)
    }
}
