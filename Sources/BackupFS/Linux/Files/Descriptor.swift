// The one type that owns an open file. Every room passes it on, and nobody closes a descriptor by hand.

import Glibc

/// An open file descriptor, closed when nobody uses it any more.
package final class Descriptor: Sendable {
    /// The number; valid as long as this object lives.
    package let number: Int32

    /// Takes over `number`.
    package init(_ number: Int32) { self.number = number }

    /// Takes over an open descriptor; throws what errno holds if the call that should have opened it failed.
    package convenience init(taking number: Int32, from call: String) throws(SystemError) {
        guard number >= 0 else { throw SystemError(call) }
        self.init(number)
    }

    /// A second descriptor of somebody's open file (F_DUPFD_CLOEXEC), that stays valid when theirs is closed.
    package convenience init(duplicating number: Int32) throws(SystemError) {
        try self.init(taking: fcntl(number, F_DUPFD_CLOEXEC, 3), from: "dup")
    }

    deinit { close(number) }

    /// What fstat(2) says.
    package func readStatus() throws(SystemError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw SystemError("fstat") }
        return status
    }
}
