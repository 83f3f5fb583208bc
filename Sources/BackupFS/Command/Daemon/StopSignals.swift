// SIGTERM, SIGINT and SIGHUP end a daemon. They are blocked in every thread and taken by one thread with sigwait(3), so
// that what they cause is ordinary code and no signal handler.

import Glibc
import Linux
import Synchronization

/// The signals that ask this process to end.
final class StopSignals: Sendable {
    /// Signals this close to each other are one request: timeout(1) signals a process and then its whole group.
    private static let oneRequest = Duration.seconds(1)

    private struct Actions {
        var first: (@Sendable () -> Void)?
        var second: (@Sendable () -> Void)?
    }

    /// Guards what the signals cause.
    ///
    /// Held while the first action runs, so that it never runs after `disarm`.
    private let actions = Mutex(Actions())

    /// Blocks the signals in this thread and those it starts from now on, and waits for them in a thread.
    ///
    /// To be called before another thread exists. Until `arm`, a signal ends the process at once.
    init() throws(SystemError) {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        let result = pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard result == 0 else { throw SystemError("pthread_sigmask", result) }
        let waited = signals
        try startThread { [self] in wait(for: waited) }
    }

    /// From now on the first signal calls `first`, and a further one `second` before the process ends at once.
    func arm(first: @escaping @Sendable () -> Void, second: @escaping @Sendable () -> Void) {
        actions.withLock { $0 = Actions(first: first, second: second) }
    }

    /// The first action is not wanted any more: what it would end has ended.
    func disarm() {
        actions.withLock { $0.first = {} }
    }

    private func wait(for signals: sigset_t) {
        var signals = signals
        var received: Int32 = 0
        while sigwait(&signals, &received) != 0 {}
        let isArmed = actions.withLock { actions in
            actions.first?()
            return actions.first != nil
        }
        guard isArmed else { _exit(ExitStatus.failed.rawValue) }
        let first = ContinuousClock.now
        while sigwait(&signals, &received) != 0 || first.duration(to: .now) < Self.oneRequest {}
        actions.withLock { $0.second }?()
        _exit(ExitStatus.failed.rawValue)
    }
}
