import CLinux
import FileSystemCore
import Foundation
import Glibc
import Linux
import Logging
import Testing

@testable import Command

/// A server over a real socket in a directory of its own, and its client.
private final class Conversation {
    let directory: TemporaryDirectory
    let state: Descriptor
    let server: ControlServer
    let fileSystem: FakeOperator

    init(_ fileSystem: FakeOperator = FakeOperator(), requestTimeout: Duration = .seconds(10)) throws {
        directory = try TemporaryDirectory()
        self.fileSystem = fileSystem
        let path = try directory.directory(".backupfs")
        state = try Descriptor(taking: path.withCString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }, from: "open")
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        server = try ControlServer(
            directory: state.number, fileSystem: fileSystem, logger: silent, requestTimeout: requestTimeout)
        try server.start()
    }

    deinit { server.stop() }

    func client(path: [UInt8] = []) -> ControlClient {
        ControlClient(
            target: DaemonTarget(
                addresses: [.stateDirectory(directory.path.appending(".backupfs"))], relativePath: path,
                main: directory.path))
    }

    func connect() throws -> LineChannel {
        LineChannel(try ControlSocket.connect(inDirectory: directory.path.appending(".backupfs")))
    }

    func answer(to line: String) throws -> ControlAnswer {
        let channel = try connect()
        try channel.write(line: Array(line.utf8))
        return try ReportCoding.decode(ControlAnswer.self, from: try channel.readLine(until: .now + .seconds(120)))
    }
}

@Suite("Control socket", .timeLimit(.minutes(40)))
struct ControlTests {
    @Test("every question reaches the file system and its answer comes back whole")
    func questions() throws {
        let rows = (0..<500).map { FakeOperator.leftover("photo \($0)", lastError: $0 == 7 ? "refused" : nil) }
        let conversation = try Conversation(FakeOperator(rows: rows))
        let client = conversation.client(path: [0x61, 0xff])
        #expect(try client.status() == FakeOperator.status())
        #expect(try client.info().key == "a%FF")
        var received: [LeftoverReport] = []
        try client.leftovers { row in
            received.append(row)
            return true
        }
        #expect(received == rows)
        var steps = 0
        _ = try client.clean(dryRun: true) { _ in steps += 1 }
        #expect(steps == 500)
        #expect(try client.clean(dryRun: false) { _ in steps += 1 }.uploaded == 500 && steps == 500)
        var findings: [ObjectReport.Finding] = []
        #expect(try client.objects { findings.append($0) }.missing == 1)
        #expect(findings == [FakeOperator.finding])
        var aside: [AsideReport] = []
        try client.aside { row in
            aside.append(row)
            return true
        }
        #expect(aside == [FakeOperator.aside])
        #expect(try client.restoreAside(3) == FakeOperator.aside)
        #expect(throws: ControlFailure.refused("nothing with the number 4")) { try client.restoreAside(4) }
        try client.discardAside(5)
        #expect(try client.snapshots(isNew: true) == [FakeOperator.snapshot])
        #expect(
            conversation.fileSystem.questions.filter { $0 != "page" }
                == [
                    "status", "info [97, 255]", "leftovers", "clean true", "clean false", "objects", "aside",
                    "restore 3", "restore 4", "discard 5", "snapshots true",
                ])
        #expect(try client.daemonProcess() == getpid())
    }

    @Test("a list is read no faster than its client takes it, however long that takes; then all of it comes")
    func slowClient() async throws {
        let rows = (0..<50_000).map { FakeOperator.leftover("photo \($0)") }
        let conversation = try Conversation(FakeOperator(rows: rows))
        let channel = try conversation.connect()
        try channel.write(line: try ReportCoding.encode(ControlRequest.leftovers))
        func pages() -> Int { conversation.fileSystem.questions.count { $0 == "page" } }
        var before = -1
        while pages() == 0 || pages() != before {
            before = pages()
            try await Task.sleep(for: .milliseconds(300))
        }
        // What a socket holds, and a page or two on either side of it.
        #expect(before < rows.count / FakeOperator.pageSize / 4)
        for row in rows {
            let line = try channel.readLine(until: .now + .seconds(120))
            guard case .leftover(row) = try ReportCoding.decode(ControlAnswer.self, from: line) else {
                Issue.record("another row than \(row.key)")
                return
            }
        }
        #expect(
            try ReportCoding.decode(ControlAnswer.self, from: channel.readLine(until: .now + .seconds(120))) == .done)
    }

    @Test("a client that goes away, or has enough, ends its list")
    func endedList() async throws {
        let rows = (0..<50_000).map { FakeOperator.leftover("photo \($0)") }
        let conversation = try Conversation(FakeOperator(rows: rows))
        try conversation.client().leftovers { _ in false }
        while !conversation.fileSystem.questions.contains("leftovers cancelled") {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("what the file system refuses is told in its own line")
    func refusal() throws {
        let conversation = try Conversation()
        let client = conversation.client(path: Array("missing".utf8))
        #expect(throws: ControlFailure.refused("missing: no such file")) { try client.info() }
        withExtendedLifetime(conversation) {}
    }

    @Test("a sync tells its progress and ends when the file system says so")
    func sync() throws {
        let last = SyncProgress(uploads: 0, journal: 0)
        let figures = [SyncProgress(uploads: 2, journal: 1), last]
        let conversation = try Conversation(FakeOperator(figures: figures))
        var shown: [SyncProgress] = []
        try conversation.client().sync { shown.append($0) }
        #expect(shown.last == last)
    }

    @Test("a client that goes away ends its question")
    func cancellation() async throws {
        let conversation = try Conversation(FakeOperator(endless: true))
        do {
            let channel = try conversation.connect()
            try channel.write(line: try ReportCoding.encode(ControlRequest.sync))
        }
        while !conversation.fileSystem.questions.contains("sync cancelled") {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test(
        "what is no request gets an error line, not an answer",
        arguments: [
            "", "hello", "{}", #"{"version":2,"request":"status"}"#, #"{"version":1,"request":"format"}"#,
            #"{"version":1,"request":"clean"}"#, "[[[[[[",
        ])
    func nonsense(line: String) throws {
        guard case .error = try Conversation().answer(to: line) else {
            Issue.record("answered")
            return
        }
    }

    @Test("a request beyond the limit is refused, and one that never comes is not waited for")
    func bounds() throws {
        let conversation = try Conversation(requestTimeout: .milliseconds(50))
        let channel = try conversation.connect()
        let line = try channel.readLine(until: .now + .seconds(120))
        guard case .error = try ReportCoding.decode(ControlAnswer.self, from: line) else {
            Issue.record("a silent client was answered")
            return
        }
        let long = try conversation.connect()
        #expect(throws: LineChannel.Failure.tooLong) {
            try long.write(line: [UInt8](repeating: 0x61, count: ControlProtocol.lineLimit))
        }
    }

    @Test("a stale socket is replaced, the new one is private, and it is gone after the end")
    func socketFile() throws {
        let conversation = try Conversation()
        let path = conversation.directory.path.appending(".backupfs").appending("control.sock")
        #expect(try path.status().st_mode & 0o777 == 0o600)
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let next = try ControlServer(
            directory: conversation.state.number, fileSystem: FakeOperator(), logger: silent)
        try next.start()
        #expect(try conversation.client().status() == FakeOperator.status())
        next.stop()
        #expect(throws: SystemError.self) { try path.status() }
        #expect(throws: ControlFailure.notRunning(main: conversation.directory.path)) {
            try conversation.client().status()
        }
    }

    @Test("the abstract address answers too, but only as the process that its name tells")
    func abstract() throws {
        let conversation = try Conversation()
        let address = ControlSocket.address(directory: conversation.state.number)
        var target = conversation.client().target
        target.addresses = [.socket(BytePath("/proc/1/nothing/control.sock")), .abstract(address)]
        #expect(try ControlClient(target: target).status() == FakeOperator.status())
        let forged = "/proc/1/fd/\(conversation.state.number)/control.sock"
        let listener = try ControlSocket.listenAbstract(address: forged, backlog: 1)
        target.addresses = [.abstract(forged)]
        #expect(throws: ControlFailure.self) { try ControlClient(target: target).status() }
        withExtendedLifetime(listener) {}
    }

    @Test("a sync is given up when backup storage is down, and says how much is missing")
    func outage() throws {
        let figures = [SyncProgress(uploads: 3, journal: 1)]
        let conversation = try Conversation(FakeOperator(reachable: false, figures: figures, endless: true))
        let wait = SyncWait(conversation.client(), outagePatience: .zero)
        #expect(
            throws: CommandError.control(
                .refused("the backup storage is down, 3 uploads, 1 journal entry missing in it: connection refused"))
        ) { try wait.run { _ in } }
    }

    @Test("a sync is given up when an upload fails again and again")
    func failingUpload() throws {
        let figures = [SyncProgress(uploads: 1, journal: 0)]
        let rows = [FakeOperator.leftover("a"), FakeOperator.leftover("b", lastError: "quota exceeded")]
        let conversation = try Conversation(FakeOperator(rows: rows, figures: figures, endless: true))
        let wait = SyncWait(conversation.client(), outagePatience: .zero, failurePatience: .zero)
        #expect(throws: CommandError.control(.refused("1 upload missing in backup, b: quota exceeded"))) {
            try wait.run { _ in }
        }
    }
}
