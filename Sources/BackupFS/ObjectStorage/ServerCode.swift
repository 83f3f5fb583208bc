/// The code of a server's error, as servers of S3 and of security tokens send it.
///
/// Servers have codes of their own: those that decide something here have names, the others are only told.
package struct ServerCode: Sendable, Hashable {
    /// On one line.
    private let text: String

    package init(_ text: String) {
        self.text = S3Failure.plain(text)
    }
}

extension ServerCode: CustomStringConvertible {
    /// The code as an operator looks it up.
    package var description: String { text }
}

extension ServerCode {
    // What is not there.
    static let noSuchBucket = ServerCode("NoSuchBucket")
    static let noSuchKey = ServerCode("NoSuchKey")
    static let noSuchUpload = ServerCode("NoSuchUpload")
    static let noSuchVersion = ServerCode("NoSuchVersion")

    // Who is refused.
    /// The credentials may not do what was asked.
    package static let accessDenied = ServerCode("AccessDenied")
    static let expiredToken = ServerCode("ExpiredToken")
    static let invalidAccessKeyID = ServerCode("InvalidAccessKeyId")
    static let invalidClientTokenID = ServerCode("InvalidClientTokenId")
    static let invalidToken = ServerCode("InvalidToken")
    static let signatureDoesNotMatch = ServerCode("SignatureDoesNotMatch")
    static let tokenRefreshRequired = ServerCode("TokenRefreshRequired")

    // What was signed for another time or place.
    static let authorizationHeaderMalformed = ServerCode("AuthorizationHeaderMalformed")
    static let illegalLocationConstraint = ServerCode("IllegalLocationConstraintException")
    static let incorrectEndpoint = ServerCode("IncorrectEndpoint")
    static let requestExpired = ServerCode("RequestExpired")
    static let requestInTheFuture = ServerCode("RequestInTheFuture")
    /// The clocks of the two machines are too far apart.
    package static let requestTimeTooSkewed = ServerCode("RequestTimeTooSkewed")

    // Bytes that are not what was said of them.
    static let badDigest = ServerCode("BadDigest")
    static let payloadMismatch = ServerCode("XAmzContentSHA256Mismatch")

    /// An object in a storage class that has to be brought back before it can be read.
    static let invalidObjectState = ServerCode("InvalidObjectState")

    // What a server does not offer.
    static let invalidArgument = ServerCode("InvalidArgument")
    static let invalidRequest = ServerCode("InvalidRequest")
    static let methodNotAllowed = ServerCode("MethodNotAllowed")
    static let notImplemented = ServerCode("NotImplemented")

    /// A store that is full.
    static let full: Set<ServerCode> = [
        ServerCode("InsufficientCapacity"), ServerCode("InsufficientStorage"), ServerCode("InsufficientStorageSpace"),
        ServerCode("QuotaExceeded"), ServerCode("StorageFull"), ServerCode("StorageQuotaExceeded"),
        ServerCode("XMinioAdminBucketQuotaExceeded"), ServerCode("XMinioStorageFull"),
    ]

    /// What may go well later without anybody changing anything.
    static let passing: Set<ServerCode> = [
        ServerCode("Busy"), ServerCode("IncompleteBody"), ServerCode("InternalError"), ServerCode("OperationAborted"),
        ServerCode("RequestLimitExceeded"), ServerCode("RequestTimeout"), ServerCode("ServiceUnavailable"),
        ServerCode("SlowDown"), ServerCode("SlowDownRead"), ServerCode("SlowDownWrite"),
        ServerCode("TooManyRequests"),
    ]
}
