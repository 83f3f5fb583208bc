import Glibc

/// A file descriptor that closes with its last reference.
final class OwnedDescriptor: Sendable {
    let number: Int32

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        self.number = number
    }

    /// A second descriptor of somebody's open file (F_DUPFD_CLOEXEC), that stays valid when theirs is closed.
    ///
    /// Throws `.localFile`.
    convenience init(duplicating number: Int32) throws(ObjectStoreError) {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw .localFile(errno: errno) }
        self.init(owning: copy)
    }

    deinit { close(number) }

    /// The file's status (fstat(2)), or nil with errno set.
    func status() -> stat? {
        var status = stat()
        return fstat(number, &status) == 0 ? status : nil
    }
}
