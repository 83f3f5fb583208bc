// The order in which locks are taken: the tree lock, then a lock of names, then a file's state. None is held while a
// reply is sent or backup storage is asked.

import Catalogue
import Glibc

/// A readers-writer lock (pthread_rwlock).
final class ReadersWriterLock: @unchecked Sendable {
    // Safe: the lock is initialised once, never moved, and POSIX allows its use from every thread.
    private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

    /// A writer that waits goes before readers that come later.
    ///
    /// glibc's default would let it starve. So no thread may take the lock shared twice.
    init() {
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        pthread_rwlockattr_setkind_np(&attributes, 2)  // PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
        pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    func shared<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }

    func exclusive<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }
}

/// A fixed number of locks over all directories: a change of names in one directory excludes background work there.
final class DirectoryLocks: Sendable {
    private let stripes = (0..<64).map { _ in ReadersWriterLock() }

    /// Runs `body` alone among all that name one of these directories; does not nest.
    func with<Value, Failure: Error>(
        _ one: ResourceID, _ other: ResourceID? = nil, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let first = index(one)
        let second = other.map(index) ?? first
        guard first != second else { return try stripes[first].exclusive(body) }
        return try stripes[min(first, second)].exclusive { () throws(Failure) -> Value in
            try stripes[max(first, second)].exclusive(body)
        }
    }

    private func index(_ id: ResourceID) -> Int { Int(truncatingIfNeeded: id.rawValue & 63) }
}
