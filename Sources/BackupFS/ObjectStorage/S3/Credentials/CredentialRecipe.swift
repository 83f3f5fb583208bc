// How to get credentials, decided before anything is asked: a value that says which file to read, which program to run,
// which server to ask. It is made anew for each fetch, so that changed files count.

/// A way to get credentials.
indirect enum CredentialRecipe: Sendable, Equatable {
    /// They are there already.
    case ready(S3Credentials)
    /// A command that prints them, split into words; `profile` names it in errors.
    case process([String], profile: String)
    /// A role that others' credentials are exchanged for.
    case role(Role, from: CredentialRecipe)
    /// A role for the token in a file.
    case webIdentity(Role, tokenFile: String)
    /// An HTTP endpoint that the container's runtime gives.
    case container(ContainerEndpoint)
    /// The machine's own role (IMDSv2).
    case instance(InstanceMetadata)

    /// What STS is asked for.
    struct Role: Sendable, Equatable {
        /// The role's ARN.
        var arn: String
        /// As it appears in the provider's logs.
        var sessionName: String
        var externalID: String?
        /// How long the credentials are to last, in seconds; nil for the role's default.
        var duration: Int?
        var service: SecurityTokenService
    }

    /// In words, for errors; without secrets.
    var name: String {
        switch self {
        case .ready: "the keys that are configured"
        case .process(_, let profile): "the credential_process of the profile \(profile)"
        case .role(let role, _), .webIdentity(let role, _): "the role \(role.arn)"
        case .container: "the container's credentials endpoint"
        case .instance: "the instance metadata service"
        }
    }
}

extension CredentialRecipe: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { name }
    var debugDescription: String { name }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where the container's runtime gives credentials.
struct ContainerEndpoint: Sendable, Equatable {
    let endpoint: S3Endpoint
    /// Path and query, percent-encoded.
    let target: String
    /// What the Authorization header is to hold.
    let token: Token

    /// Where the authorization comes from.
    enum Token: Sendable, Equatable {
        case none
        case text(String)
        /// A file that is read for each request: its content changes.
        case file(String)
    }

    /// From the variables AWS_CONTAINER_CREDENTIALS_*; nil if they name nothing.
    ///
    /// Throws `.invalidSetting` for an endpoint that secrets may not be asked from: plain http is for this machine and for
    /// the fixed addresses of the container services only.
    init?(environment: [String: String]) throws(StoreConfigurationError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let url: String
        let setting: String
        if let relative = value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            setting = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
            guard relative.hasPrefix("/") else {
                throw .invalidSetting(name: setting, reason: "it does not start with a slash")
            }
            url = "http://169.254.170.2\(relative)"
        } else if let full = value("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            setting = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
            url = full
        } else {
            return nil
        }
        (endpoint, target) = try S3Endpoint.split(url, setting: setting, plainHosts: Self.plainHosts)
        if let file = value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            token = .file(file)
        } else {
            token = value("AWS_CONTAINER_AUTHORIZATION_TOKEN").map { .text($0) } ?? .none
        }
    }

    /// The addresses of the container services of ECS and EKS.
    private static let plainHosts = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
}

extension ContainerEndpoint: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "ContainerEndpoint(\(endpoint.host))" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// The instance metadata service.
///
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
struct InstanceMetadata: Sendable, Equatable {
    let endpoint: S3Endpoint

    /// From the variables AWS_EC2_METADATA_*; nil if the service is not to be asked.
    ///
    /// Throws `.invalidSetting`.
    init?(environment: [String: String]) throws(StoreConfigurationError) {
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else { return nil }
        let isSixth = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        let usual = isSixth ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        let given = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
        // It is the operator's word that this is the machine's own service: link-local addresses have no certificates.
        endpoint = try S3Endpoint(
            given ?? usual, setting: "AWS_EC2_METADATA_SERVICE_ENDPOINT", allowInsecure: true)
    }
}
