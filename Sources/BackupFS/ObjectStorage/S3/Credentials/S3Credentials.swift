/// The secret that signs requests; shows in no description, reflection or dump.
package struct S3Credentials: Sendable, Equatable {
    let accessKey: String
    let secretKey: String
    /// Only with temporary credentials.
    let sessionToken: String?
    /// When they end, in seconds since 1970; nil if they do not say.
    let expiration: Int64?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiration: Int64? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// Whether a header can hold them.
    var isPrintable: Bool {
        !accessKey.isEmpty && !secretKey.isEmpty
            && [accessKey, secretKey, sessionToken ?? ""].allSatisfy {
                $0.utf8.allSatisfy { (0x21...0x7e).contains($0) }
            }
    }

    /// Whether they sign like others, whatever both say of their end.
    func sign(like other: S3Credentials) -> Bool {
        accessKey == other.accessKey && secretKey == other.secretKey && sessionToken == other.sessionToken
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "S3Credentials(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
