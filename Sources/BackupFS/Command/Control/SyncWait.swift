// A sync lasts as long as the storages take. If backup storage is down, or refuses a file, it would last for ever: then
// whoever waits is told what is missing and why.

import Dispatch
import FileSystemCore
import Linux
import Synchronization

/// Waits for a daemon's `sync` and gives up when it makes no progress for a known reason.
final class SyncWait: Sendable {
    /// How long nothing may have moved with backup storage out of reach.
    static let outagePatience = Duration.seconds(15)
    /// How long nothing may have moved with an upload failing again and again.
    static let failurePatience = Duration.seconds(60)

    private struct State {
        var progress: SyncProgress?
        var lastChange = ContinuousClock.now
        var result: Result<Void, ControlFailure>?
    }

    /// Guards what the thread that asks has heard; taken alone.
    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let client: ControlClient
    private let outagePatience: Duration
    private let failurePatience: Duration

    init(
        _ client: ControlClient, outagePatience: Duration = SyncWait.outagePatience,
        failurePatience: Duration = SyncWait.failurePatience
    ) {
        self.client = client
        self.outagePatience = outagePatience
        self.failurePatience = failurePatience
    }

    /// Waits; `show` is called on this thread whenever a figure changed.
    func run(_ show: (SyncProgress) -> Void) throws(CommandError) {
        do throws(SystemError) {
            try startThread { [self] in ask() }
        } catch {
            throw .failed("\(error)")
        }
        while true {
            _ = news.wait(timeout: .now() + .milliseconds(500))
            let now = state.withLock { $0 }
            if let progress = now.progress { show(progress) }
            switch now.result {
            case .success: return
            case .failure(let failure): throw .control(failure)
            case nil: try checkHope(now)
            }
        }
    }

    private func ask() {
        let result: Result<Void, ControlFailure>
        do throws(ControlFailure) {
            try client.sync { [self] progress in
                state.withLock { state in
                    if state.progress != progress { state.lastChange = .now }
                    state.progress = progress
                }
                news.signal()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        state.withLock { $0.result = result }
        news.signal()
    }

    private func checkHope(_ now: State) throws(CommandError) {
        let quiet = now.lastChange.duration(to: .now)
        guard quiet >= min(outagePatience, failurePatience), let progress = now.progress, progress.remaining > 0 else {
            return
        }
        let left = ReportText.remaining(uploads: progress.uploads, journal: progress.journal)
        do throws(ControlFailure) {
            let backup = try client.status().backup
            if quiet >= outagePatience, !backup.reachable {
                throw ControlFailure.refused(
                    "the backup storage is down, \(left) missing in it: \(backup.lastError ?? "it does not answer")")
            }
            guard quiet >= failurePatience else { return }
            var failing: LeftoverReport?
            try client.leftovers { row in
                if row.lastError != nil { failing = row }
                return failing == nil
            }
            if let failing {
                throw ControlFailure.refused("\(left) missing in backup, \(failing.key): \(failing.lastError ?? "")")
            }
        } catch {
            throw .control(error)
        }
    }
}
