// What an answer that is not a good one means. Codes first: servers put the same code under different statuses.

/// An S3 error answer: the status, and the code and message of its XML body.
struct S3Failure: Sendable, Equatable {
    let status: Int
    /// nil if the body was empty or not S3's.
    let code: ServerCode?
    let message: String
    /// Whether the answer may come from something that is no S3 server: it has a body that is not S3's.
    let isForeign: Bool
    /// Whether it is what servers say to a plain request on a port for TLS.
    let wantsTLS: Bool
    let bucketRegion: String?
    /// The host that a redirect points to.
    let otherHost: String?
    let retryAfter: Duration?

    init(_ answer: S3Answer) {
        var code = ""
        var message = ""
        var region: String?
        let isXML = S3XML.read(answer.body) { path, text in
            guard path.first == "Error" else { return }
            if path.dropFirst() == ["Code"] { code = text }
            if path.dropFirst() == ["Message"] { message = Self.plain(text) }
            if path.dropFirst() == ["Region"] { region = text }
        }
        status = answer.status
        self.code = isXML ? Self.code(code) : nil
        self.message = isXML ? message : ""
        isForeign = !answer.body.isEmpty && (!isXML || code.isEmpty)
        bucketRegion = (answer.bucketRegion ?? region).map(Self.plain)
        otherHost = answer.location.flatMap { try? S3Endpoint.split($0, setting: "", allowInsecure: true).0.host }
        retryAfter = answer.retryAfter
        let page = isForeign ? String(decoding: answer.body.prefix(1000), as: UTF8.self) : ""
        wantsTLS = page.contains("HTTPS") || page.contains("SSL-enabled")
    }

    /// What was said about one object in a good answer about many.
    init(code: String, message: String) {
        status = 200
        self.code = Self.code(code)
        self.message = Self.plain(message)
        isForeign = false
        wantsTLS = false
        bucketRegion = nil
        otherHost = nil
        retryAfter = nil
    }

    private static func code(_ text: String) -> ServerCode? { text.isEmpty ? nil : ServerCode(text) }

    /// Whether the body is an S3 error.
    var hasCode: Bool { code != nil }

    /// Whether the server compared the bytes with a checksum of ours and found them different.
    var meansDifferentBytes: Bool { code == .badDigest || code == .payloadMismatch }

    /// The error, for a request about `key`; `bucket` as the operator knows it.
    func error(key: String, bucket: String) -> ObjectStoreError {
        switch code {
        case .noSuchBucket?: return .noSuchBucket(bucket)
        case .noSuchKey?, .noSuchVersion?: return .notFound(key: key)
        case let code? where ServerCode.full.contains(code): return .full(message: text)
        case let code? where ServerCode.passing.contains(code):
            return .unreachable(reason: text, retryAfter: retryAfter)
        case let code? where code == .authorizationHeaderMalformed:
            return .denied(.server(code), message: bucketRegion.map { "the bucket is in region \($0)" } ?? message)
        case let code? where Self.denials.contains(code): return .denied(.server(code), message: message)
        case .invalidObjectState?:
            // With status 403, but nothing is wrong with the credentials.
            return .rejected(
                .server(.invalidObjectState),
                message:
                    "the object is archived: bring it back there (aws s3api restore-object), and read it again then")
        case .badDigest?, .payloadMismatch?: return .corrupted(key: key, reason: text)
        default: return errorByStatus(key: key)
        }
    }

    /// Codes that refuse us, whatever the status.
    private static let denials: Set<ServerCode> = [
        .expiredToken, .invalidToken, .tokenRefreshRequired, .invalidAccessKeyID, .signatureDoesNotMatch,
        .accessDenied, .requestTimeTooSkewed,
    ]

    private func errorByStatus(key: String) -> ObjectStoreError {
        let rejection = code.map(Rejection.server) ?? .status(status)
        switch status {
        case 400 where wantsTLS:
            return .rejected(rejection, message: "the server expects TLS: write https:// in the endpoint")
        case 404 where isForeign:
            return .unreachable(reason: "status 404 from something that is no S3 server: is the endpoint right?")
        case 404 where code == nil && !key.isEmpty: return .notFound(key: key)
        case 401, 403: return .denied(code.map(Denial.server) ?? .status(status), message: message)
        case 507: return .full(message: text)
        case 501: return .rejected(rejection, message: message)
        case 408, 409, 425, 429, 500...599: return .unreachable(reason: text, retryAfter: retryAfter)
        case 300...399:
            let region = bucketRegion.map { ": the bucket is in region \($0)" } ?? ""
            let host = otherHost.map { ", to \(Self.plain($0))" } ?? ""
            return .rejected(
                rejection, message: "the server points elsewhere\(host)\(region): correct the endpoint or the region")
        default: return .rejected(rejection, message: message)
        }
    }

    /// What the server said, on one line.
    private var text: String {
        let parts = [code.map { "\($0)" } ?? "", message].filter { !$0.isEmpty }
        return "status \(status)" + (parts.isEmpty ? "" : ", " + parts.joined(separator: ": "))
    }

    /// A server's text on one line, cut to what an operator reads.
    static func plain(_ text: String) -> String {
        String(text.unicodeScalars.prefix(300).map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) })
    }
}
