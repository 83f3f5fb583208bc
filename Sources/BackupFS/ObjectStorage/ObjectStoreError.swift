/// What can go wrong between us and a store.
///
/// Cases say what happened; how to reply is decided above.
package enum ObjectStoreError: Error, Sendable, Equatable {
    /// The store says the object is not there.
    case notFound(key: String)
    /// The bucket or directory does not exist.
    case noSuchBucket(String)
    /// The store refused us: credentials, permissions. `code` is the store's own.
    case denied(code: String, message: String)
    /// The store says it is full (a quota, or the disk of a directory store).
    case full(message: String)
    /// No connection, no answer in time, or an answer that says "later" (503, 500, SlowDown).
    case unreachable(reason: String)
    /// The deadline passed before the request was finished.
    case deadlineExceeded(reason: String)
    /// Bytes did not arrive as they were sent, in either direction.
    case corrupted(key: String, reason: String)
    /// The content changed while it was being sent: what the digests say is not what was read.
    case contentChanged(key: String)
    /// The store refused the request for another reason; `code` is the store's own, or the HTTP status.
    case rejected(code: String, message: String)
    /// Reading or writing our own file failed with this errno.
    case localFile(errno: Int32)

    /// Whether the same request may well succeed later without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .corrupted: true
        case .notFound, .noSuchBucket, .denied, .full, .deadlineExceeded, .contentChanged, .rejected, .localFile: false
        }
    }
}

extension ObjectStoreError: CustomStringConvertible {
    /// One plain line for an operator.
    package var description: String {
        switch self {
        case .notFound(let key): "the backup storage has no object \(key)"
        case .noSuchBucket(let name): "\(name) does not exist: create it, or correct the backup URL"
        case .denied(let code, let message): "the backup storage refused the credentials (\(code): \(message))"
        case .full(let message): "the backup storage is full (\(message))"
        case .unreachable(let reason): "the backup storage cannot be reached (\(reason))"
        case .deadlineExceeded(let reason): "the backup storage did not finish in time (\(reason))"
        case .corrupted(let key, let reason): "bytes of \(key) were damaged on the way (\(reason))"
        case .contentChanged(let key): "the file changed while \(key) was being sent"
        case .rejected(let code, let message): "the backup storage refused the request (\(code): \(message))"
        case .localFile(let code): "a local file could not be read or written (errno \(code))"
        }
    }
}
