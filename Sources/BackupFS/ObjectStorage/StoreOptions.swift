/// How to reach backup storage, as far as the URL does not say it.
package struct StoreOptions: Sendable, Equatable {
    /// The URL of the S3 server; nil: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS itself.
    package var endpoint: String?
    /// The region to sign for; nil: AWS_REGION, AWS_DEFAULT_REGION, or us-east-1 if an endpoint is given.
    package var region: String?
    /// A file with the certificates to trust; nil: AWS_CA_BUNDLE, or the system's.
    package var caBundle: String?
    /// How many requests to S3 run at once, from 1 to 256 (1 counts as 2); the rest wait.
    package var transfers: Int
    /// A file with credentials as s3fs reads it; nil: AWS_ACCESS_KEY_ID and its companions.
    package var passwdFile: String?
    /// Whether plain http is accepted to other machines than this one.
    package var allowInsecure: Bool

    package init(
        endpoint: String? = nil, region: String? = nil, caBundle: String? = nil, transfers: Int = 16,
        passwdFile: String? = nil, allowInsecure: Bool = false
    ) {
        self.endpoint = endpoint
        self.region = region
        self.caBundle = caBundle
        self.transfers = transfers
        self.passwdFile = passwdFile
        self.allowInsecure = allowInsecure
    }
}
