// One thread wakes another that waits for descriptors.

import CLinux
import Glibc

/// An eventfd(2): wakes a thread that waits in poll(2).
package final class WakeEvent: Sendable {
    /// The descriptor to watch for POLLIN.
    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    /// Makes the descriptor readable until `clear`.
    package func signal() {
        eventfd_write(descriptor.number, 1)
    }

    /// Makes the descriptor unreadable until the next `signal`.
    package func clear() {
        var value: eventfd_t = 0
        eventfd_read(descriptor.number, &value)
    }
}
