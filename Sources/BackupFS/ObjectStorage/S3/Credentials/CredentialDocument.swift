// Credentials as JSON: what a credential_process prints, and what the container's and the instance's endpoints answer.

import Foundation

/// One JSON document with credentials in it.
struct CredentialDocument: Sendable {
    let credentials: S3Credentials

    private struct Fields: Decodable {
        var version: Int?
        var code: String?
        var accessKeyId: String?
        var secretAccessKey: String?
        var sessionToken: String?
        var token: String?
        var expiration: String?

        private enum CodingKeys: String, CodingKey {
            case version = "Version"
            case code = "Code"
            case accessKeyId = "AccessKeyId"
            case secretAccessKey = "SecretAccessKey"
            case sessionToken = "SessionToken"
            case token = "Token"
            case expiration = "Expiration"
        }
    }

    /// Reads a document; `version` is the one it must state, nil if it states none.
    ///
    /// Throws `.denied` with `source` in the message and nothing of what the document holds.
    init(_ bytes: [UInt8], version: Int? = nil, source: String) throws(ObjectStoreError) {
        func wrong(_ reason: String) -> ObjectStoreError { .noCredentials("\(source) gave no credentials: \(reason)") }
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(bytes)) else {
            throw wrong("it is no such JSON document")
        }
        guard version == nil || fields.version == version else { throw wrong("its Version is not 1") }
        guard fields.code == nil || fields.code == "Success" else { throw wrong("its Code is not Success") }
        guard let access = fields.accessKeyId, let secret = fields.secretAccessKey else {
            throw wrong("AccessKeyId or SecretAccessKey is missing")
        }
        let expiration = fields.expiration.map(Self.seconds)
        if let expiration, expiration == nil { throw wrong("its Expiration is no time") }
        credentials = S3Credentials(
            accessKey: access, secretKey: secret, sessionToken: fields.sessionToken ?? fields.token,
            expiration: expiration ?? nil)
        guard credentials.isPrintable else { throw wrong("a header cannot hold them") }
    }

    /// A time like `2026-01-31T12:00:00Z`, in seconds since 1970; nil if it is none.
    static func seconds(_ text: String) -> Int64? {
        let date =
            (try? Date(text, strategy: .iso8601))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        return date.map { Int64($0.timeIntervalSince1970) }
    }
}
