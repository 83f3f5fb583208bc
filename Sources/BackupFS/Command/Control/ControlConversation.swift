import FileSystemCore
import Glibc
import Linux

/// One connection of the control socket: reads the request, asks the file system, writes the answers.
///
/// Blocks the thread it runs on; the question itself runs in a task, which is cancelled when the client goes away.
struct ControlConversation {
    private let channel: LineChannel
    private let fileSystem: any FileSystemOperator
    private let stopping: WakeEvent
    private let requestTimeout: Duration

    init(
        _ channel: LineChannel, fileSystem: any FileSystemOperator, stopping: WakeEvent, requestTimeout: Duration
    ) {
        self.channel = channel
        self.fileSystem = fileSystem
        self.stopping = stopping
        self.requestTimeout = requestTimeout
    }

    /// Serves the connection to its end.
    func run() {
        do {
            let line = try channel.readLine(until: .now + requestTimeout)
            guard let request = try? ReportCoding.decode(ControlRequest.self, from: line) else {
                return answer(.error("not a request that this version of BackupFS knows"))
            }
            let outbox = try ControlOutbox()
            let fileSystem = fileSystem
            // The file system reads its catalogue on the way: not on a thread of the pool.
            let task = Task(executorPreference: BlockingExecutor.shared) {
                await Self.ask(fileSystem, request, into: outbox)
            }
            defer {
                task.cancel()
                outbox.close()
            }
            try deliver(outbox)
        } catch LineChannel.Failure.tooLong {
            answer(.error("the request is longer than \(ControlProtocol.lineLimit) bytes"))
        } catch LineChannel.Failure.timedOut {
            answer(.error("no request came within \(requestTimeout)"))
        } catch let error as SystemError {
            answer(.error("the mount could not answer: \(error)"))
        } catch {
            // The client went away: there is nobody to tell.
        }
    }

    /// Writes what comes out of the outbox until its last line, the end of the client, or the end of the server.
    private func deliver(_ outbox: ControlOutbox) throws {
        while true {
            for answer in outbox.take() {
                guard try mayWrite() else { return self.answer(.error("the mount is ending")) }
                try write(answer)
                switch answer {
                case .done, .error: return
                case .status, .info, .leftover, .aside, .step, .cleaned, .finding, .objects, .progress, .snapshot:
                    continue
                }
            }
            var watched = [
                pollfd(fd: outbox.ready.descriptor.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: channel.socket.number, events: pollPeerClosed, revents: 0),
                pollfd(fd: stopping.descriptor.number, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&watched, 3, -1) < 0, errno != EINTR { throw SystemError("poll") }
            if watched[1].revents != 0 { throw LineChannel.Failure.closed }
            if watched[2].revents != 0 { return answer(.error("the mount is ending")) }
        }
    }

    /// Waits until the client takes more, for as long as it likes: a person may be reading; false if the server ends.
    private func mayWrite() throws -> Bool {
        while true {
            var watched = [
                pollfd(
                    fd: channel.socket.number, events: Int16(POLLOUT) | pollPeerClosed, revents: 0),
                pollfd(fd: stopping.descriptor.number, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&watched, 2, -1) < 0 {
                guard errno == EINTR else { throw SystemError("poll") }
                continue
            }
            if watched[0].revents & Int16(POLLOUT) != 0 { return true }
            if watched[0].revents != 0 { throw LineChannel.Failure.closed }
            if watched[1].revents != 0 { return false }
        }
    }

    private func write(_ answer: ControlAnswer) throws {
        do {
            try channel.write(line: try ReportCoding.encode(answer))
        } catch LineChannel.Failure.tooLong {
            try channel.write(line: try ReportCoding.encode(ControlAnswer.error("an answer was too long to be sent")))
            throw LineChannel.Failure.closed
        }
    }

    private func answer(_ answer: ControlAnswer) {
        try? write(answer)
    }

    /// Asks the file system and puts every line of the answer into the outbox.
    private static func ask(
        _ fileSystem: any FileSystemOperator, _ request: ControlRequest, into outbox: ControlOutbox
    ) async {
        do {
            switch request {
            case .status: outbox.put(.status(try await fileSystem.status()))
            case .info(let path): outbox.put(.info(try await fileSystem.info(path: path)))
            case .leftovers:
                try await fileSystem.leftovers { rows in try await outbox.putPage(rows.map { .leftover($0) }) }
            case .clean(let dryRun):
                let report = try await fileSystem.clean(dryRun: dryRun) { steps in
                    try await outbox.putPage(steps.map { .step($0) })
                }
                outbox.put(.cleaned(report))
            case .objects:
                let report = try await fileSystem.checkObjects { findings in
                    try await outbox.putPage(findings.map { .finding($0) })
                }
                outbox.put(.objects(report))
            case .aside:
                try await fileSystem.setAside { rows in try await outbox.putPage(rows.map { .aside($0) }) }
            case .restoreAside(let id): outbox.put(.aside(try await fileSystem.restoreAside(id)))
            case .discardAside(let id): try await fileSystem.discardAside(id)
            case .sync: try await fileSystem.sync { outbox.put(.progress($0)) }
            case .snapshots(let isNew):
                for report in try await fileSystem.snapshots(isNew: isNew) { outbox.put(.snapshot(report)) }
            }
            outbox.put(.done)
        } catch {
            outbox.put(.error("\(error)"))
        }
    }
}
