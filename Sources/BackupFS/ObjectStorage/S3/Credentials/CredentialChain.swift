// Where credentials come from, in the order of the AWS CLI: keys in the environment, the profile's role with other
// credentials behind it, a web identity (the environment's, else the profile's), the profile's keys or process, the
// container's endpoint, the instance's.
// What was named expressly goes first: a password file, and a profile by option. Whoever is found first is asked, and no
// other if that fails: who we are does not depend on what happens to work.

/// Decides how to get credentials.
struct CredentialChain: Sendable {
    /// The bucket whose line of the password file counts.
    let bucket: String
    /// A file with credentials as s3fs reads it.
    let passwdFile: String?
    /// The profile that was named by option.
    let profile: String?
    /// The region of the store, which STS is asked in.
    let region: String
    let environment: [String: String]

    /// Finds the way; reads the files anew.
    ///
    /// Throws what is missing or wrong, without any value that may be secret.
    func recipe() throws(StoreConfigurationError) -> CredentialRecipe {
        if let passwdFile { return .ready(try PasswdFile.credentials(passwdFile, bucket: bucket)) }
        if profile == nil, let keys = try environmentKeys() { return .ready(keys) }
        let profiles = try Profiles(environment: environment)
        let name = profile ?? value("AWS_PROFILE") ?? value("AWS_DEFAULT_PROFILE") ?? "default"
        let isNamed = name != "default" || profile != nil
        let resolver = ProfileResolver(chain: self, profiles: profiles)
        if isNamed, profiles.settings(name) == nil { throw profiles.unknown(name) }
        let settings = profiles.settings(name) ?? [:]
        let isRole = settings["role_arn"] != nil && settings["web_identity_token_file"] == nil
        if profile == nil, !isRole, let found = try environmentIdentity(profiles, settings) { return found }
        if let found = try resolver.recipe(name) { return found }
        if profile != nil {
            throw .invalidSetting(name: "the profile \(name)", reason: "it says nothing about credentials")
        }
        if let container = try ContainerEndpoint(environment: environment) { return .container(container) }
        if let instance = try InstanceMetadata(environment: environment) { return .instance(instance) }
        throw .missingVariable(
            "AWS_ACCESS_KEY_ID", purpose: "the access key, or give a password file or a profile")
    }

    /// A variable's value; nil if it is empty.
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The keys in the environment; nil if there are none.
    func environmentKeys() throws(StoreConfigurationError) -> S3Credentials? {
        let keys = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
        switch keys {
        case (nil, nil): return nil
        case (nil, _): throw .missingVariable("AWS_ACCESS_KEY_ID", purpose: "the access key, or give a password file")
        case (_, nil): throw .missingVariable("AWS_SECRET_ACCESS_KEY", purpose: "the secret of the access key")
        case (let access?, let secret?):
            return try printable(
                S3Credentials(accessKey: access, secretKey: secret, sessionToken: value("AWS_SESSION_TOKEN")),
                from: "the environment")
        }
    }

    private func environmentIdentity(
        _ profiles: Profiles, _ settings: ProfileFile.Section
    ) throws(StoreConfigurationError) -> CredentialRecipe? {
        guard let file = value("AWS_WEB_IDENTITY_TOKEN_FILE") else { return nil }
        guard let arn = value("AWS_ROLE_ARN") else {
            throw .missingVariable("AWS_ROLE_ARN", purpose: "the role for AWS_WEB_IDENTITY_TOKEN_FILE")
        }
        let service = try SecurityTokenService(chain: self, profiles: profiles, settings: settings)
        return .webIdentity(
            .init(arn: arn, sessionName: value("AWS_ROLE_SESSION_NAME") ?? Self.sessionName, service: service),
            tokenFile: file)
    }

    /// What the provider's logs call us if nobody said how.
    static let sessionName = "backupfs"

    /// The credentials, unless a header cannot hold them.
    func printable(_ keys: S3Credentials, from place: String) throws(StoreConfigurationError) -> S3Credentials {
        guard keys.isPrintable else {
            throw .invalidSetting(
                name: "the credentials", reason: "\(place) has a character in them that no header can have")
        }
        return keys
    }
}

extension CredentialChain: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "CredentialChain(redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
