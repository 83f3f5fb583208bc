import Glibc

/// An open file descriptor, closed when nobody uses it any more.
package final class Descriptor: Sendable {
    /// The number; valid as long as this object lives.
    package let number: Int32

    /// Takes over `number`.
    package init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// What fstat(2) says.
    func status() throws(FileSystemError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .main(errno: errno, during: "fstat") }
        return status
    }
}
