/// How to reach backup storage, as far as the URL does not say it.
package struct StoreOptions: Sendable, Equatable {
    /// The URL of the S3 server; nil: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's, or AWS itself.
    package var endpoint: String?
    /// The region to sign for; nil: AWS_REGION, AWS_DEFAULT_REGION, the profile's, or what the endpoint's name says.
    package var region: String?
    /// A file with the certificates to trust; nil: AWS_CA_BUNDLE, or the system's.
    package var caBundle: String?
    /// How many requests to S3 run at once, from 1 to 256 (1 counts as 2); the rest wait.
    package var transfers: Int
    /// Where the bucket's name goes; nil: into the path, at AWS into the host's name if it fits.
    package var addressing: S3Addressing?
    /// A file with credentials as s3fs reads it; it goes before all others.
    package var passwdFile: String?
    /// The profile of the AWS tools; it goes before the environment.
    ///
    /// nil: the environment, then AWS_PROFILE or `default`.
    package var profile: String?
    /// Whether plain http is accepted to other machines than this one.
    package var allowInsecure: Bool
    /// Files of twice this size and more are sent in parts of it, in bytes; nil: 16 MiB.
    package var partSize: Int64?
    /// How many bytes a second all transfers move together, both directions; nil: no limit.
    package var bandwidthLimit: Int64?
    /// The storage class of new objects, like `STANDARD_IA`; nil: the bucket's.
    package var storageClass: String?
    /// How the server encrypts new objects; nil: as the bucket says.
    package var encryption: ServerSideEncryption?

    package init(
        endpoint: String? = nil, region: String? = nil, caBundle: String? = nil, transfers: Int = 16,
        addressing: S3Addressing? = nil, passwdFile: String? = nil, profile: String? = nil, allowInsecure: Bool = false,
        partSize: Int64? = nil, bandwidthLimit: Int64? = nil, storageClass: String? = nil,
        encryption: ServerSideEncryption? = nil
    ) {
        self.endpoint = endpoint
        self.region = region
        self.caBundle = caBundle
        self.transfers = transfers
        self.addressing = addressing
        self.passwdFile = passwdFile
        self.profile = profile
        self.allowInsecure = allowInsecure
        self.partSize = partSize
        self.bandwidthLimit = bandwidthLimit
        self.storageClass = storageClass
        self.encryption = encryption
    }
}
