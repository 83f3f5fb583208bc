// One profile's way to credentials; roles lead to other profiles.

/// Finds the way that a profile tells.
struct ProfileResolver {
    let chain: CredentialChain
    let profiles: Profiles

    /// The way; nil if the profile says nothing about credentials.
    func recipe(_ name: String) throws(StoreConfigurationError) -> CredentialRecipe? {
        try recipe(name, visited: [])
    }

    private func recipe(_ name: String, visited: [String]) throws(StoreConfigurationError) -> CredentialRecipe? {
        guard let settings = profiles.settings(name) else { return nil }
        if let tokenFile = settings["web_identity_token_file"] {
            return .webIdentity(try role(name, settings), tokenFile: tokenFile)
        }
        if settings["role_arn"] != nil { return try assumedRole(name, settings, visited) }
        if settings["sso_session"] != nil || settings["sso_start_url"] != nil || settings["sso_account_id"] != nil {
            throw wrong(
                name,
                """
                it uses IAM Identity Center (SSO), which BackupFS cannot: make a profile with credential_process = \
                aws configure export-credentials --profile \(name)
                """)
        }
        if let keys = try keys(name, profiles.inCredentials(name)) { return .ready(keys) }
        if let command = settings["credential_process"] {
            guard let words = CommandWords.split(command), !words.isEmpty else {
                throw wrong(name, "its credential_process has a quote without an end, or is empty")
            }
            return .process(words, profile: name)
        }
        return try keys(name, profiles.inConfig(name)).map { .ready($0) }
    }

    private func assumedRole(
        _ name: String, _ settings: ProfileFile.Section, _ visited: [String]
    ) throws(StoreConfigurationError) -> CredentialRecipe {
        guard settings["mfa_serial"] == nil else {
            throw wrong(name, "its role wants a code from a device (mfa_serial), which a file system cannot enter")
        }
        let role = try role(name, settings)
        switch (settings["source_profile"], settings["credential_source"]) {
        case (let source?, nil): return .role(role, from: try self.source(source, of: name, visited))
        case (nil, let source?): return .role(role, from: try self.source(named: source, of: name))
        case (nil, nil): throw wrong(name, "its role_arn needs source_profile or credential_source")
        case (_?, _?): throw wrong(name, "it has source_profile and credential_source: leave one out")
        }
    }

    private func source(
        _ source: String, of name: String, _ visited: [String]
    ) throws(StoreConfigurationError) -> CredentialRecipe {
        let settings = profiles.settings(source)
        guard let settings else { throw wrong(name, "its source_profile \(source) does not exist") }
        // A profile may name itself for its own keys, and no profile twice.
        if source == name || settings["aws_access_key_id"] != nil && settings["role_arn"] != nil {
            guard let keys = try keys(source, settings) else {
                throw wrong(name, "its source_profile \(source) has no keys of its own")
            }
            return .ready(keys)
        }
        guard !visited.contains(source) else { throw wrong(name, "its source_profile leads back to itself") }
        guard let found = try recipe(source, visited: visited + [name]) else {
            throw wrong(name, "its source_profile \(source) says nothing about credentials")
        }
        return found
    }

    private func source(
        named source: String, of name: String
    ) throws(StoreConfigurationError) -> CredentialRecipe {
        switch source {
        case "Environment":
            if let keys = try chain.environmentKeys() { return .ready(keys) }
        case "EcsContainer":
            if let container = try ContainerEndpoint(environment: chain.environment) { return .container(container) }
        case "Ec2InstanceMetadata":
            if let instance = try InstanceMetadata(environment: chain.environment) { return .instance(instance) }
        default:
            throw wrong(name, "its credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata")
        }
        throw wrong(name, "its credential_source \(source) has no credentials here")
    }

    private func role(
        _ name: String, _ settings: ProfileFile.Section
    ) throws(StoreConfigurationError) -> CredentialRecipe.Role {
        guard let arn = settings["role_arn"], !arn.isEmpty else {
            throw wrong(name, "its web_identity_token_file needs role_arn")
        }
        var duration: Int?
        if let text = settings["duration_seconds"] {
            guard let seconds = Int(text), (900...43_200).contains(seconds) else {
                throw wrong(name, "its duration_seconds is no number from 900 to 43200")
            }
            duration = seconds
        }
        return CredentialRecipe.Role(
            arn: arn, sessionName: settings["role_session_name"] ?? CredentialChain.sessionName,
            externalID: settings["external_id"], duration: duration,
            service: try SecurityTokenService(chain: chain, profiles: profiles, settings: settings))
    }

    private func keys(
        _ name: String, _ settings: ProfileFile.Section?
    ) throws(StoreConfigurationError) -> S3Credentials? {
        guard let access = settings?["aws_access_key_id"] else { return nil }
        guard let secret = settings?["aws_secret_access_key"] else {
            throw wrong(name, "it has aws_access_key_id without aws_secret_access_key")
        }
        return try chain.printable(
            S3Credentials(accessKey: access, secretKey: secret, sessionToken: settings?["aws_session_token"]),
            from: "the profile \(name)")
    }

    private func wrong(_ name: String, _ reason: String) -> StoreConfigurationError {
        .invalidSetting(name: "the profile \(name)", reason: reason)
    }
}
