// Waiting in poll(2) for something to read, with a deadline; for threads that may block.

import Glibc

extension Descriptor {
    /// Waits until there is something to read, or the other end is closed; false at the deadline, nil waits for ever.
    package func waitUntilReadable(until deadline: ContinuousClock.Instant?) throws(SystemError) -> Bool {
        var watched = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        while true {
            let ready = poll(&watched, 1, deadline.map(Self.milliseconds(until:)) ?? -1)
            if ready > 0 { return true }
            if ready == 0, let deadline, ContinuousClock.now >= deadline { return false }
            guard ready == 0 || errno == EINTR else { throw SystemError("poll") }
        }
    }

    /// The time left as poll(2) wants it, rounded up; 0 if it has passed.
    private static func milliseconds(until deadline: ContinuousClock.Instant) -> Int32 {
        let left = ContinuousClock.now.duration(to: deadline)
        guard left > .zero else { return 0 }
        return Int32(
            clamping: left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
    }
}
