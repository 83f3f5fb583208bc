import Glibc
import Testing

@testable import ObjectStorage

@Suite("What stores say")
struct ObjectStoreErrorTests {
    private static let refused = "the backup storage refused the credentials"

    @Test(
        "A refusal is one line that says what to change, with the word to look up",
        arguments: [
            (.noCredentials, "m", "there are no credentials for the backup storage: m"),
            (.notOurs, "m", "the backup storage is not this mount's (NotOurs: m)"),
            (.status(403), "", "\(refused) (HTTP 403)"),
            (.system(errno: EACCES), "m", "\(refused) (errno 13: m)"),
            (.server(ServerCode("Other")), "m", "\(refused) (Other: m)"),
            (
                .server(ServerCode("SignatureDoesNotMatch")), "m",
                "\(refused): the secret key does not belong to the access key, correct it (SignatureDoesNotMatch: m)"
            ),
            (
                .server(ServerCode("InvalidAccessKeyId")), "",
                "\(refused): it does not know the access key, correct it (InvalidAccessKeyId)"
            ),
            (
                .server(ServerCode("InvalidClientTokenId")), "",
                "\(refused): it does not know the access key, correct it (InvalidClientTokenId)"
            ),
            (
                .server(ServerCode("ExpiredToken")), "",
                "\(refused): the session token is no longer good, get a new one (ExpiredToken)"
            ),
            (
                .server(ServerCode("AccessDenied")), "no",
                "\(refused): let them list, read, write and delete below the prefix (AccessDenied: no)"
            ),
            (
                .server(ServerCode("AuthorizationHeaderMalformed")), "m",
                "the backup storage expects another region: correct --region (AuthorizationHeaderMalformed: m)"
            ),
            (
                .server(ServerCode("RequestTimeTooSkewed")), "",
                "the clocks of this machine and of the backup storage are too far apart: set the clock here "
                    + "(RequestTimeTooSkewed)"
            ),
        ] as [(Denial, String, String)])
    func denials(_ denial: Denial, _ message: String, _ line: String) {
        let error = ObjectStoreError.denied(denial, message: message)
        #expect("\(error)" == line)
        #expect(!error.isTransient)
    }

    @Test(
        "So is a request that is refused",
        arguments: [
            (.untrusted, "the backup storage cannot be trusted (m)"), (.noHTTP, refusal("NoHTTP")),
            (.status(412), refusal("HTTP 412")), (.server(ServerCode("NotImplemented")), refusal("NotImplemented")),
            (.system(errno: EEXIST), refusal("errno 17")), (.objectExists, refusal("ObjectExists")),
            (.invalidKey, refusal("InvalidKey")), (.invalidMetadata, refusal("InvalidMetadata")),
            (.entityTooLarge, refusal("EntityTooLarge")), (.foreignKey, refusal("ForeignKey")),
            (.endlessListing, refusal("EndlessListing")), (.answerTooLong, refusal("AnswerTooLong")),
        ] as [(Rejection, String)])
    func rejections(_ rejection: Rejection, _ line: String) {
        let error = ObjectStoreError.rejected(rejection, message: "m")
        #expect("\(error)" == line)
        #expect(!error.isTransient)
    }

    private static func refusal(_ word: String) -> String { "the backup storage refused the request (\(word): m)" }

    @Test(
        "What the kernel says about a directory is a full store, a refusal, or something that may pass",
        arguments: [
            (ENOSPC, .full(message: "it: No space left on device")),
            (EDQUOT, .full(message: "it: Disk quota exceeded")),
            (EACCES, .denied(.system(errno: EACCES), message: "it: Permission denied")),
            (EPERM, .denied(.system(errno: EPERM), message: "it: Operation not permitted")),
            (EROFS, .denied(.system(errno: EROFS), message: "it: Read-only file system")),
            (EEXIST, .rejected(.system(errno: EEXIST), message: "it: File exists")),
            (ELOOP, .rejected(.system(errno: ELOOP), message: "it: Too many levels of symbolic links")),
            (EIO, .unreachable(reason: "it: Input/output error")),
            (ESTALE, .unreachable(reason: "it: Stale file handle")),
        ] as [(Int32, ObjectStoreError)])
    func system(_ code: Int32, _ meaning: ObjectStoreError) {
        #expect(DirectoryFailure(code).asStoreError("it") == meaning)
    }

    @Test("A server's code is one line, whatever it sends, and is known by its text")
    func serverCodes() {
        #expect("\(ServerCode("a\nb\u{7f}"))" == "a b ")
        #expect("\(ServerCode(String(repeating: "x", count: 1000)))".count == 300)
        #expect(ServerCode("AccessDenied") == .accessDenied)
        #expect(ServerCode("accessdenied") != .accessDenied)
    }
}

@Suite("What stores are")
struct StoreKindTests {
    @Test(
        "Whole keys have the prefix of their bucket, and leave room for it",
        arguments: [
            ("s3://photos", "a/b", 1024), ("s3://photos/shop/2023", "shop/2023/a/b", 1024 - 10),
            ("file:///srv/photos", "a/b", 1024),
        ])
    func wholeKeys(_ url: String, _ key: String, _ longest: Int) throws {
        let url = try BackupURL(url)
        let store = try makeObjectStore(
            url, StoreOptions(endpoint: "https://localhost:1"), environment: CannedS3.environment,
            logger: .init(label: "test"))
        #expect(store.kind == StoreKind(url))
        #expect(store.fullKey("a/b") == key)
        #expect(store.longestKey == longest)
        #expect(store.location == "\(url)")
    }

    @Test("An archived object is named as such, with what to do, and not blamed on the credentials")
    func archived() {
        var answer = S3Answer()
        answer.status = 403
        answer.body = Array("<Error><Code>InvalidObjectState</Code><Message>no</Message></Error>".utf8)
        let error = S3Failure(answer).error(key: "a.jpg", bucket: "photos")
        guard case .rejected(.server(.invalidObjectState), _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect("\(error)".contains("archived") && "\(error)".contains("restore-object"))
    }
}
