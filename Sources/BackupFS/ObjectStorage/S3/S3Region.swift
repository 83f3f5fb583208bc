// Regions: what hosts' names say of them, and where a server may point us on.
//
// A server can say that a bucket is elsewhere, and requests are signed again for that place. A signature, and the session
// token beside it, are worth something to whoever gets them, and an answer may come from somebody in between or from a
// server that was taken over. So a host is followed only within the domain of the endpoint that the operator wrote:
//
// - the endpoint's own host, and names below it (`bucket.s3.example.com` for `s3.example.com`), with the same scheme and
//   port. Names beside it (`other.example.com`) are not: nobody can tell `example.com` from `co.uk` by looking.
// - if the endpoint is one of S3 at AWS, the endpoints of S3 at AWS in the same partition, whose names are made here from
//   the region: a name that only ends in amazonaws.com may be anybody's machine.

/// A host of S3 at AWS.
struct AWSHost: Equatable {
    /// nil in the host without a region, s3.amazonaws.com.
    let region: String?
    private let isFIPS: Bool
    private let isDualStack: Bool
    private let domain: String

    /// The domain of a region's hosts.
    static func domain(ofRegion region: String) -> String {
        region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    }

    /// Reads the name of an endpoint, without a bucket before it; nil if it is none of S3's.
    init?(_ name: String) {
        let domain = ["amazonaws.com.cn", "amazonaws.com"].first { name.hasSuffix(".\($0)") }
        guard let domain else { return nil }
        var labels = name.dropLast(domain.count + 1).split(separator: ".", omittingEmptySubsequences: false)
        guard let first = labels.first, first == "s3" || first == "s3-fips" || first.hasPrefix("s3-") else {
            return nil
        }
        labels.removeFirst()
        isFIPS = first == "s3-fips"
        isDualStack = labels.first == "dualstack"
        if isDualStack { labels.removeFirst() }
        var region = labels.first.map(String.init)
        // s3-eu-west-1.amazonaws.com: how regions were written before.
        if labels.isEmpty, first != "s3", !isFIPS { region = String(first.dropFirst("s3-".count)) }
        guard labels.count <= 1, region.map(S3Region.isPlausible) ?? true else { return nil }
        // Other services have names with a word more or less: s3-website-..., s3-accelerate, s3-control.
        let words = region?.split(separator: "-") ?? []
        guard region == nil || words.count >= 3 && words.last?.allSatisfy(\.isNumber) == true && words[0].count == 2
        else { return nil }
        guard region == nil || labels.isEmpty || first == "s3" || isFIPS else { return nil }
        self.region = region
        self.domain = domain
    }

    /// The name of the same kind of host in another region; nil if that is in another partition.
    func name(in region: String) -> String? {
        guard Self.domain(ofRegion: region) == domain else { return nil }
        return (isFIPS ? "s3-fips." : "s3.") + (isDualStack ? "dualstack." : "") + "\(region).\(domain)"
    }
}

/// Names of regions.
enum S3Region {
    /// What is signed for when nothing says another region.
    static let usual = "us-east-1"

    /// Whether a text can be a region's name.
    static func isPlausible(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || "-_".utf8.contains(byte)
            }
    }

    /// The region that a provider's host names; nil if it names none, or is no provider's that we know.
    ///
    /// docs/S3.md has the list.
    static func named(by host: String) -> String? {
        if let host = AWSHost(host) { return host.region ?? usual }
        if host == "s3.wasabisys.com" { return usual }
        if host.hasSuffix(".r2.cloudflarestorage.com") { return "auto" }
        for domain in ["backblazeb2.com", "wasabisys.com"] where host.hasPrefix("s3.") && host.hasSuffix(".\(domain)") {
            let region = String(host.dropFirst("s3.".count).dropLast(domain.count + 1))
            return isPlausible(region) ? region : nil
        }
        return nil
    }
}

/// Where a bucket is, as far as we know: the region to sign for, and the server to send to.
struct BucketPlace: Sendable, Equatable {
    var region: String
    var address: BucketAddress

    /// Where an answer points to; nil if it does not point, or to a host that is not to be followed.
    ///
    /// `configured` is what the operator wrote.
    func followed(by answer: S3Answer, configured: BucketAddress) -> BucketPlace? {
        let failure = S3Failure(answer)
        var next = self
        if let region = failure.bucketRegion, S3Region.isPlausible(region) { next.region = region }
        switch answer.status {
        case 300...399:
            if AWSHost(configured.endpoint.name) == nil, let location = answer.location {
                guard let endpoint = Self.endpoint(location, of: configured) else { return nil }
                next.address.endpoint = endpoint
            }
            if AWSHost(configured.endpoint.name) != nil, failure.bucketRegion == nil, let location = answer.location,
                let region = Self.region(location, of: configured)
            {
                next.region = region
            }
        case 400, 403: break
        default: return nil
        }
        if let host = AWSHost(configured.endpoint.name), next.region != region {
            guard let name = host.name(in: next.region) else { return nil }
            next.address.endpoint = configured.endpoint.named(name)
        }
        return next == self ? nil : next
    }

    /// The endpoint in a Location header, if it is in the configured domain and speaks the same way.
    private static func endpoint(_ location: String, of configured: BucketAddress) -> S3Endpoint? {
        guard let (target, _) = try? S3Endpoint.split(location, setting: "", allowInsecure: true),
            target.speaks(like: configured.endpoint)
        else { return nil }
        let domain = configured.endpoint.name
        func isInside(_ name: String) -> Bool {
            name == domain || !configured.endpoint.isAddress && name.hasSuffix(".\(domain)")
        }
        // The bucket in front is the address's to add.
        let prefix = "\(configured.bucket)."
        if target.name.hasPrefix(prefix), isInside(String(target.name.dropFirst(prefix.count))) {
            return configured.endpoint.named(String(target.name.dropFirst(prefix.count)))
        }
        guard isInside(target.name), configured.addressing == .path else { return nil }
        return configured.endpoint.named(target.name)
    }

    /// The region in the Location header of AWS.
    private static func region(_ location: String, of configured: BucketAddress) -> String? {
        guard let (target, _) = try? S3Endpoint.split(location, setting: ""),
            target.speaks(like: configured.endpoint)
        else { return nil }
        let prefix = "\(configured.bucket)."
        let name = target.name.hasPrefix(prefix) ? String(target.name.dropFirst(prefix.count)) : target.name
        return AWSHost(name)?.region
    }
}
