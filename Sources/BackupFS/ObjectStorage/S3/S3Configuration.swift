import Glibc

/// Everything that an S3 store needs to know, checked.
package struct S3Configuration: Sendable {
    let endpoint: S3Endpoint
    let region: String
    let bucket: String
    /// Before every key; neither starts nor ends with a slash; may be empty.
    let prefix: String
    let credentials: S3Credentials
    /// A file with the certificates to trust; nil: the system's.
    let caBundle: String?
    /// How many requests run at once, at least 2.
    let transfers: Int
    /// How objects are stored.
    let objects: S3ObjectOptions

    /// Reads the options and, for what they leave out, the variables of the AWS tools.
    ///
    /// Throws an error that names the variable to set.
    package init(
        bucket: String, prefix: String, options: StoreOptions, environment: [String: String]
    ) throws(StoreConfigurationError) {
        func variable(_ names: String...) -> (name: String, value: String)? {
            for name in names {
                if let value = environment[name], !value.isEmpty { return (name, value) }
            }
            return nil
        }
        let endpointSetting =
            options.endpoint.map { (name: "the endpoint", value: $0) }
            ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        let givenRegion = options.region ?? variable("AWS_REGION", "AWS_DEFAULT_REGION")?.value
        guard endpointSetting != nil || givenRegion != nil else {
            throw .missingVariable(
                "AWS_ENDPOINT_URL_S3", purpose: "the URL of the S3 server, or AWS_REGION to the bucket's region at AWS")
        }
        let region = givenRegion ?? "us-east-1"
        guard !region.isEmpty, region.utf8.allSatisfy({ Self.isRegionByte($0) }) else {
            throw .invalidSetting(name: "the region", reason: "a region is made of letters, digits and hyphens")
        }
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        endpoint = try S3Endpoint(
            endpointSetting?.value ?? "https://s3.\(region).\(domain)", setting: endpointSetting?.name ?? "the region",
            allowInsecure: options.allowInsecure)
        if let path = options.passwdFile {
            credentials = try PasswdFile.credentials(path, bucket: bucket)
        } else {
            guard let accessKey = variable("AWS_ACCESS_KEY_ID")?.value else {
                throw .missingVariable("AWS_ACCESS_KEY_ID", purpose: "the access key, or give a password file")
            }
            guard let secretKey = variable("AWS_SECRET_ACCESS_KEY")?.value else {
                throw .missingVariable("AWS_SECRET_ACCESS_KEY", purpose: "the secret of the access key")
            }
            credentials = S3Credentials(
                accessKey: accessKey, secretKey: secretKey, sessionToken: variable("AWS_SESSION_TOKEN")?.value)
        }
        guard credentials.isPrintable else {
            throw .invalidSetting(name: "the credentials", reason: "they hold a character that no header can have")
        }
        guard (1...256).contains(options.transfers) else {
            throw .invalidSetting(name: "the number of transfers", reason: "it must be from 1 to 256")
        }
        self.region = region
        self.bucket = bucket
        self.prefix = prefix
        caBundle = options.caBundle ?? variable("AWS_CA_BUNDLE")?.value
        if let caBundle, access(caBundle, R_OK) != 0 {
            throw .invalidSetting(name: "the CA bundle", reason: "\(caBundle): \(String(cString: strerror(errno)))")
        }
        transfers = max(2, options.transfers)
        objects = try S3ObjectOptions(options, isSecure: endpoint.isSecure)
    }

    private static func isRegionByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-_".utf8.contains(byte)
    }
}

extension S3Credentials {
    fileprivate var isPrintable: Bool {
        (accessKey + secretKey + (sessionToken ?? "")).utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
