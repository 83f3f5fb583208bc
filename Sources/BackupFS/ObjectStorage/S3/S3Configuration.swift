import Glibc
import Linux

/// Everything that an S3 store needs to know, checked.
package struct S3Configuration: Sendable {
    /// The bucket at the server that the operator named.
    let address: BucketAddress
    /// The region to sign for until the server names another.
    let region: String
    /// Before every key; neither starts nor ends with a slash; may be empty.
    let prefix: String
    /// How to get credentials.
    let credentials: CredentialChain
    /// A file with the certificates to trust; nil: the system's.
    let caBundle: String?
    let proxies: ProxySettings
    /// How many requests run at once, at least 2.
    let transfers: Int
    /// How objects are stored.
    let objects: S3ObjectOptions

    var endpoint: S3Endpoint { address.endpoint }
    var bucket: String { address.bucket }

    /// Reads the options and, for what they leave out, the variables of the AWS tools, then their profile.
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
        let profiles = try Profiles(environment: environment)
        let profileName = options.profile ?? variable("AWS_PROFILE", "AWS_DEFAULT_PROFILE")?.value ?? "default"
        let profile = profiles.settings(profileName) ?? [:]
        let endpointSetting =
            options.endpoint.map { (name: "the endpoint", value: $0) }
            ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
            ?? profiles.endpoint(of: "s3", in: profile).map { ("the endpoint of the profile \(profileName)", $0) }
        let givenRegion = options.region ?? variable("AWS_REGION", "AWS_DEFAULT_REGION")?.value ?? profile["region"]
        guard endpointSetting != nil || givenRegion != nil else {
            throw .missingVariable(
                "AWS_ENDPOINT_URL_S3", purpose: "the URL of the S3 server, or AWS_REGION to the bucket's region at AWS")
        }
        guard givenRegion.map(S3Region.isPlausible) ?? true else {
            throw .invalidSetting(name: "the region", reason: "a region is made of letters, digits and hyphens")
        }
        let awsRegion = givenRegion ?? S3Region.usual
        let endpoint = try S3Endpoint(
            endpointSetting?.value ?? "https://s3.\(awsRegion).\(AWSHost.domain(ofRegion: awsRegion))",
            setting: endpointSetting?.name ?? "the region", allowInsecure: options.allowInsecure)
        region = givenRegion ?? S3Region.named(by: endpoint.name) ?? S3Region.usual
        address = try BucketAddress(
            endpoint: endpoint, bucket: bucket,
            addressing: options.addressing ?? profile["s3.addressing_style"].flatMap(S3Addressing.init(rawValue:)))
        credentials = CredentialChain(
            bucket: bucket, passwdFile: options.passwdFile, profile: options.profile, region: region,
            environment: environment)
        _ = try credentials.recipe()
        guard (1...256).contains(options.transfers) else {
            throw .invalidSetting(name: "the number of transfers", reason: "it must be from 1 to 256")
        }
        self.prefix = prefix
        caBundle = options.caBundle ?? variable("AWS_CA_BUNDLE")?.value ?? profile["ca_bundle"]
        if let caBundle, access(caBundle, R_OK) != 0 {
            throw .invalidSetting(name: "the CA bundle", reason: "\(caBundle): \(errnoText(errno))")
        }
        proxies = ProxySettings(environment: environment)
        transfers = max(2, options.transfers)
        objects = try S3ObjectOptions(options, isSecure: endpoint.isSecure)
    }
}
