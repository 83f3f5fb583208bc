import Glibc

/// An open file descriptor that is closed with its last reference.
final class Descriptor: Sendable {
    /// The number.
    let number: Int32

    /// Takes over an open descriptor; throws what errno holds if the call that should have opened it failed.
    init(taking number: Int32, from call: String) throws(SystemError) {
        guard number >= 0 else { throw SystemError(call) }
        self.number = number
    }

    deinit {
        close(number)
    }
}
