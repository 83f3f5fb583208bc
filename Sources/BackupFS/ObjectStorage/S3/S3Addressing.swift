// How a bucket is addressed: in the path (https://host/bucket/key) or in the host's name (https://bucket.host/key). Every
// server knows the first one; AWS keeps it for old clients only.

/// Where the name of a bucket goes.
package enum S3Addressing: String, Sendable, CaseIterable {
    case path
    case virtual

    /// What fits if nobody said anything: the host's name at AWS, if its certificate covers the bucket's name.
    static func automatic(bucket: String, endpoint: S3Endpoint) -> S3Addressing {
        let isCovered = isHostLabel(bucket) || !endpoint.isSecure && isHostName(bucket)
        return AWSHost(endpoint.name) != nil && isCovered ? .virtual : .path
    }

    /// Whether a name can be one label of a host's name: a wildcard certificate covers one, not two.
    private static func isHostLabel(_ name: String) -> Bool { isHostName(name) && !name.contains(".") }

    /// Whether a name can be part of a host's name.
    static func isHostName(_ name: String) -> Bool {
        name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || "-.".utf8.contains($0) }
            && !name.contains("..") && !name.hasPrefix("-") && !name.hasSuffix("-")
    }
}

/// A bucket at a server.
struct BucketAddress: Sendable, Equatable {
    /// The server, as the operator named it or as it pointed us on.
    var endpoint: S3Endpoint
    let bucket: String
    let addressing: S3Addressing

    /// Throws `.invalidSetting` if the host's name cannot hold the bucket's.
    init(
        endpoint: S3Endpoint, bucket: String, addressing: S3Addressing?
    ) throws(StoreConfigurationError) {
        self.endpoint = endpoint
        self.bucket = bucket
        self.addressing = addressing ?? .automatic(bucket: bucket, endpoint: endpoint)
        guard self.addressing == .virtual else { return }
        guard !endpoint.isAddress else {
            throw .invalidSetting(name: "the addressing", reason: "an IP address has no names below it: write path")
        }
        guard S3Addressing.isHostName(bucket) else {
            throw .invalidSetting(
                name: "the addressing",
                reason: "the name of the bucket \(bucket) cannot be part of a host's: write path")
        }
    }

    /// The server that requests about the bucket go to.
    var server: S3Endpoint {
        switch addressing {
        case .path: endpoint
        case .virtual: endpoint.named("\(bucket).\(endpoint.name)")
        }
    }

    /// The bucket's path, percent-encoded, without a slash at its end: a key follows behind one.
    var path: String {
        switch addressing {
        case .path: "\(endpoint.basePath)/\(bucket)"
        case .virtual: endpoint.basePath
        }
    }

    /// The path of requests about the bucket itself.
    var root: String { path.isEmpty ? "/" : path }
}
