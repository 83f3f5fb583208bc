/// What can go wrong between us and a store.
///
/// Cases say what happened; how to reply is decided above.
package enum ObjectStoreError: Error, Sendable, Equatable {
    /// The store says the object is not there.
    case notFound(key: String)
    /// The bucket or directory does not exist.
    case noSuchBucket(String)
    /// The store refused us: credentials, permissions.
    case denied(Denial, message: String)
    /// The store says it is full (a quota, or the disk of a directory store).
    case full(message: String)
    /// No connection, no answer in time, or an answer that says "later" (503, 500, SlowDown); `retryAfter` is how much
    /// later, if the server said so.
    case unreachable(reason: String, retryAfter: Duration? = nil)
    /// The deadline passed before the request was finished.
    case deadlineExceeded(reason: String)
    /// Bytes did not arrive as they were sent, in either direction.
    case corrupted(key: String, reason: String)
    /// The content changed while it was being sent: what the digests say is not what was read.
    case contentChanged(key: String)
    /// The store refused the request for another reason.
    case rejected(Rejection, message: String)
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

extension ObjectStoreError {
    /// How long the store asks to be left alone.
    var retryAfter: Duration? {
        guard case .unreachable(_, let retryAfter) = self else { return nil }
        return retryAfter
    }
}

extension ObjectStoreError {
    /// There are no credentials; the message says where they were looked for, and nothing secret.
    static func noCredentials(_ message: String) -> ObjectStoreError {
        .denied(.noCredentials, message: message)
    }
}

extension ObjectStoreError: CustomStringConvertible {
    /// One plain line for an operator.
    package var description: String {
        switch self {
        case .notFound(let key): "the backup storage has no object \(key)"
        case .noSuchBucket(let name): "\(name) does not exist: create it, or correct the backup URL"
        case .denied(.noCredentials, let message): "\(Denial.noCredentials.advice): \(message)"
        case .denied(let denial, let message):
            denial.advice + (message.isEmpty ? " (\(denial))" : " (\(denial): \(message))")
        case .full(let message): "the backup storage is full (\(message))"
        case .unreachable(let reason, _): "the backup storage cannot be reached (\(reason))"
        case .deadlineExceeded(let reason): "the backup storage did not finish in time (\(reason))"
        case .corrupted(let key, let reason): "bytes of \(key) were damaged on the way (\(reason))"
        case .contentChanged(let key): "the file changed while \(key) was being sent"
        case .rejected(.untrusted, let message): "the backup storage cannot be trusted (\(message))"
        case .rejected(let rejection, let message):
            "the backup storage refused the request (\(rejection): \(message))"
        case .localFile(let code): "a local file could not be read or written (errno \(code))"
        }
    }
}

extension Denial {
    /// What it asks an operator to change.
    fileprivate var advice: String {
        switch self {
        case .server(let code): code.advice
        case .noCredentials: "there are no credentials for the backup storage"
        case .notOurs: "the backup storage is not this mount's"
        case .status, .system: "the backup storage refused the credentials"
        }
    }
}

extension ServerCode {
    fileprivate var advice: String {
        switch self {
        case .signatureDoesNotMatch:
            "the backup storage refused the credentials: the secret key does not belong to the access key, correct it"
        case .invalidAccessKeyID, .invalidClientTokenID:
            "the backup storage refused the credentials: it does not know the access key, correct it"
        case .expiredToken, .invalidToken, .tokenRefreshRequired, .requestExpired:
            "the backup storage refused the credentials: the session token is no longer good, get a new one"
        case .accessDenied:
            "the backup storage refused the credentials: let them list, read, write and delete below the prefix"
        case .authorizationHeaderMalformed, .incorrectEndpoint, .illegalLocationConstraint:
            "the backup storage expects another region: correct --region"
        case .requestTimeTooSkewed:
            "the clocks of this machine and of the backup storage are too far apart: set the clock here"
        default: "the backup storage refused the credentials"
        }
    }
}
