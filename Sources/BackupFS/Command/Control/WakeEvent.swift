import CLinux
import FileSystemCore
import Glibc

/// An eventfd(2): wakes a thread that waits in poll(2).
final class WakeEvent: Sendable {
    /// The descriptor to watch for POLLIN.
    let descriptor: Descriptor

    init() throws(SystemError) {
        descriptor = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    /// Makes the descriptor readable until `clear`.
    func signal() {
        eventfd_write(descriptor.number, 1)
    }

    /// Makes the descriptor unreadable until the next `signal`.
    func clear() {
        var value: eventfd_t = 0
        eventfd_read(descriptor.number, &value)
    }
}
