// STS: a role's temporary credentials, for other credentials (AssumeRole) or for a token of an identity provider
// (AssumeRoleWithWebIdentity): https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

import Linux

/// Where STS is, and what its requests and answers look like.
struct SecurityTokenService: Sendable, Equatable {
    let endpoint: S3Endpoint
    let region: String

    /// The service that the settings name: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the profile's endpoint, or that of the
    /// region at AWS, which answers even when another region is down.
    ///
    /// Throws `.invalidSetting`.
    init(
        chain: CredentialChain, profiles: Profiles, settings: ProfileFile.Section
    ) throws(StoreConfigurationError) {
        region = chain.region
        let given =
            chain.value("AWS_ENDPOINT_URL_STS") ?? chain.value("AWS_ENDPOINT_URL")
            ?? profiles.endpoint(of: "sts", in: settings)
        endpoint = try S3Endpoint(
            given ?? "https://sts.\(region).\(AWSHost.domain(ofRegion: region))", setting: "the endpoint of STS",
            allowInsecure: false)
    }

    /// The request for a role; `token` is the identity provider's, nil for AssumeRole.
    func request(_ role: CredentialRecipe.Role, token: String?) -> S3Request {
        var fields = [("Version", "2011-06-15"), ("RoleArn", role.arn), ("RoleSessionName", role.sessionName)]
        if let duration = role.duration { fields.append(("DurationSeconds", "\(duration)")) }
        if let token {
            fields += [("Action", "AssumeRoleWithWebIdentity"), ("WebIdentityToken", token)]
        } else {
            fields.append(("Action", "AssumeRole"))
            if let externalID = role.externalID { fields.append(("ExternalId", externalID)) }
        }
        let form = fields.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
        let body = Array(form.utf8)
        return S3Request(
            method: .post, lane: .read, key: "", path: endpoint.basePath + "/",
            headers: [("content-type", "application/x-www-form-urlencoded")],
            body: .bytes(body, BodyDigests(of: body)))
    }

    /// The credentials in an answer.
    ///
    /// Throws `.unreachable` for what may pass, else `.denied` with the service's code.
    func credentials(_ answer: S3Answer, role: CredentialRecipe.Role) throws(ObjectStoreError) -> S3Credentials {
        var fields: [String: String] = [:]
        let isXML = S3XML.read(answer.body) { path, text in
            if let last = path.last, path.dropLast().last == "Credentials" || path.dropLast().last == "Error" {
                fields[String(last)] = text
            }
        }
        guard answer.status == 200 else {
            let name = isXML ? fields["Code"] ?? "" : ""
            let code = ServerCode(name)
            let text = S3Failure.plain(fields["Message"] ?? "")
            if answer.status >= 500 || answer.status == 429 || Self.passing.contains(code) {
                throw .unreachable(
                    reason: "STS at \(endpoint.host): status \(answer.status) \(code)",
                    retryAfter: answer.retryAfter)
            }
            // That message quotes the headers that were signed, a session token among them.
            let detail = name.isEmpty || code == .signatureDoesNotMatch ? name : "\(name): \(text)"
            throw .noCredentials(
                "STS at \(endpoint.host) refused the role \(role.arn), status \(answer.status) \(S3Failure.plain(detail))"
            )
        }
        guard isXML, let access = fields["AccessKeyId"], let secret = fields["SecretAccessKey"],
            let token = fields["SessionToken"], let end = fields["Expiration"].flatMap(CredentialDocument.seconds)
        else {
            throw .noCredentials("STS at \(endpoint.host) gave no credentials for the role \(role.arn)")
        }
        let credentials = S3Credentials(
            accessKey: access, secretKey: secret, sessionToken: token, expiration: end)
        guard credentials.isPrintable else {
            throw .noCredentials("STS at \(endpoint.host) gave credentials that no header can hold")
        }
        return credentials
    }

    /// Codes of what may pass by itself.
    private static let passing: Set<ServerCode> = [
        ServerCode("Throttling"), ServerCode("ThrottlingException"), ServerCode("RequestLimitExceeded"),
        ServerCode("IDPCommunicationError"), ServerCode("ServiceUnavailable"), ServerCode("InternalFailure"),
        ServerCode("InternalError"),
    ]
}
