// Servers on loopback stand in for STS, the container's endpoint and the instance metadata service.

import Foundation
import Testing

@testable import ObjectStorage

@Suite("Getting credentials", .timeLimit(.minutes(40)))
struct CredentialFetcherTests {
    private static let end = "2099-01-31T12:00:00Z"
    private static let endSeconds: Int64 = 4_073_544_000
    private static let keys = "[profile s]\naws_access_key_id = SOURCE\naws_secret_access_key = CANARY\n"

    /// What a chain leads to, or how that failed.
    private static func fetch(_ chain: CredentialChain) async -> Result<S3Credentials, ObjectStoreError> {
        do throws(ObjectStoreError) {
            return .success(try await Home.provider(chain).current(deadline: .farAway))
        } catch {
            return .failure(error)
        }
    }

    private static func failure(_ chain: CredentialChain) async -> String {
        text(of: await fetch(chain))
    }

    private static func text(of result: Result<S3Credentials, ObjectStoreError>) -> String {
        switch result {
        case .success: "none"
        case .failure(let error): "\(CannedS3.name(of: error)): \(error)"
        }
    }

    private static func tokenAnswer(_ action: String) -> [UInt8] {
        Array(
            """
            <?xml version="1.0"?><\(action)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><\(action)Result>
            <AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser><Credentials><AccessKeyId>T</AccessKeyId>
            <SecretAccessKey>ST</SecretAccessKey><SessionToken>TOKEN/+=</SessionToken>
            <Expiration>\(end)</Expiration></Credentials></\(action)Result></\(action)Response>
            """.utf8)
    }

    private static let temporary = S3Credentials(
        accessKey: "T", secretKey: "ST", sessionToken: "TOKEN/+=", expiration: endSeconds)

    private static func document(_ tokenName: String) -> [UInt8] {
        Array(
            """
            {"Code": "Success", "Version": 1, "AccessKeyId": "T", "SecretAccessKey": "ST",
             "\(tokenName)": "TOKEN/+=", "Expiration": "\(end)"}
            """.utf8)
    }

    @Test("AssumeRole: signed with the source's keys, with all that the profile says")
    func assumeRole() async throws {
        let server = try CannedServer { _ in .reply(200, body: Self.tokenAnswer("AssumeRole")) }
        defer { server.stop() }
        let home = try Home(
            config: Self.keys + """
                [profile p]
                role_arn = arn:aws:iam::1:role/x y
                source_profile = s
                external_id = a&b
                role_session_name = me
                duration_seconds = 900
                """)
        let chain = home.chain(profile: "p", ["AWS_ENDPOINT_URL_STS": server.endpoint])
        #expect(try await Self.fetch(chain).get() == Self.temporary)
        let request = try #require(server.requests.first)
        #expect(request.line.hasPrefix("POST / "))
        #expect(
            String(decoding: request.body, as: UTF8.self).split(separator: "&").sorted() == [
                "Action=AssumeRole", "DurationSeconds=900", "ExternalId=a%26b",
                "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx%20y", "RoleSessionName=me", "Version=2011-06-15",
            ])
        let authorization = request.headers["authorization"] ?? ""
        #expect(authorization.contains("Credential=SOURCE/"))
        #expect(authorization.contains("/eu-west-1/sts/aws4_request"))
    }

    @Test("AssumeRoleWithWebIdentity: not signed, with the token that the file holds now")
    func webIdentity() async throws {
        let server = try CannedServer { _ in .reply(200, body: Self.tokenAnswer("AssumeRoleWithWebIdentity")) }
        defer { server.stop() }
        let home = try Home(config: "[profile p]\nrole_arn=arn:r\nweb_identity_token_file=PLACE\n")
        try home.write("first\n", to: "token")
        try home.write(config: "[profile p]\nrole_arn=arn:r\nweb_identity_token_file=\(home.path)/token\n")
        let chains = [
            home.chain(profile: "p", ["AWS_ENDPOINT_URL_STS": server.endpoint]),
            home.chain([
                "AWS_ENDPOINT_URL_STS": server.endpoint, "AWS_ROLE_ARN": "arn:r",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "\(home.path)/token",
            ]),
        ]
        #expect(try await Self.fetch(chains[0]).get() == Self.temporary)
        try home.write("second\n", to: "token")
        #expect(try await Self.fetch(chains[1]).get() == Self.temporary)
        let bodies = server.requests.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(bodies[0].contains("WebIdentityToken=first&") || bodies[0].hasSuffix("WebIdentityToken=first"))
        #expect(bodies[1].contains("WebIdentityToken=second&") || bodies[1].hasSuffix("WebIdentityToken=second"))
        #expect(bodies.allSatisfy { $0.contains("Action=AssumeRoleWithWebIdentity") })
        #expect(server.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test(
        "What STS refuses is told without anything secret; what may pass is unreachable",
        arguments: [
            (403, "AccessDenied", "denied"), (400, "ValidationError", "denied"),
            (403, "SignatureDoesNotMatch", "denied"),
            (400, "Throttling", "unreachable"), (503, "", "unreachable"), (200, "Odd", "denied"),
            (400, "IDPCommunicationError", "unreachable"),
        ])
    func refusals(_ status: Int, _ code: String, _ meaning: String) async throws {
        let server = try CannedServer { _ in
            let message = code == "SignatureDoesNotMatch" ? "x-amz-security-token:CANARY" : "why not"
            let body = "<ErrorResponse><Error><Code>\(code)</Code><Message>\(message)</Message></Error></ErrorResponse>"
            return .reply(status, body: Array(body.utf8))
        }
        defer { server.stop() }
        let home = try Home(config: Self.keys + "[profile p]\nrole_arn = arn:r\nsource_profile = s\n")
        let failure = await Self.failure(home.chain(profile: "p", ["AWS_ENDPOINT_URL_STS": server.endpoint]))
        #expect(failure.hasPrefix(meaning), "\(failure)")
        #expect(!failure.contains("CANARY"))
        if code == "AccessDenied" { #expect(failure.contains("arn:r") && failure.contains("AccessDenied: why not")) }
    }

    @Test("STS with another clock is asked again with its own")
    func skewedService() async throws {
        let server = try CannedServer { request in
            let isSynchronous = request.headers["x-amz-date"]?.hasPrefix("20300101T1200") == true
            return isSynchronous
                ? .reply(200, body: Self.tokenAnswer("AssumeRole"))
                : .reply(403, headers: ["Date": "Tue, 01 Jan 2030 12:00:00 GMT"])
        }
        defer { server.stop() }
        let home = try Home(config: Self.keys + "[profile p]\nrole_arn = arn:r\nsource_profile = s\n")
        let chain = home.chain(profile: "p", ["AWS_ENDPOINT_URL_STS": server.endpoint])
        #expect(try await Self.fetch(chain).get() == Self.temporary)
        #expect(server.requests.count == 2)
    }

    @Test("The container's endpoint gets the token that its file holds now")
    func container() async throws {
        let server = try CannedServer { request in
            request.headers["authorization"] == "Bearer now" && request.target == "/creds?x=1"
                ? .reply(200, body: Self.document("Token")) : .reply(401)
        }
        defer { server.stop() }
        let home = try Home()
        try home.write("Bearer now\n", to: "token")
        let url = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/creds?x=1"]
        let file = ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(home.path)/token"]
        let text = ["AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer now"]
        #expect(try await Self.fetch(home.chain(url.merging(file) { $1 })).get() == Self.temporary)
        #expect(try await Self.fetch(home.chain(url.merging(text) { $1 })).get() == Self.temporary)
        #expect(await Self.failure(home.chain(url)).hasPrefix("denied"))
    }

    private static func instance(_ server: CannedServer) throws -> CredentialChain {
        try Home().chain([
            "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint,
        ])
    }

    @Test("The instance metadata service is asked with a token of its own only")
    func instanceMetadata() async throws {
        let server = try CannedServer { request in
            if request.method == "PUT" {
                let isOpening =
                    request.target == "/latest/api/token"
                    && request.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
                return isOpening ? .reply(200, body: Array("SESSION".utf8)) : .reply(400)
            }
            guard request.headers["x-aws-ec2-metadata-token"] == "SESSION" else { return .reply(401) }
            switch request.target {
            case "/latest/meta-data/iam/security-credentials/": return .reply(200, body: Array("my-role\n".utf8))
            case "/latest/meta-data/iam/security-credentials/my-role": return .reply(200, body: Self.document("Token"))
            default: return .reply(404)
            }
        }
        defer { server.stop() }
        #expect(try await Self.fetch(Self.instance(server)).get() == Self.temporary)
        #expect(server.requests.count == 3)
    }

    @Test("A machine without a role, and one without the service, say what to do")
    func noInstance() async throws {
        let server = try CannedServer { request in
            request.method == "PUT" ? .reply(200, body: Array("SESSION".utf8)) : .reply(404)
        }
        let chain = try Self.instance(server)
        #expect(await Self.failure(chain).contains("the instance metadata service has none"))
        server.stop()
        let failure = await Self.failure(chain)
        #expect(failure.hasPrefix("denied") && failure.contains("set AWS_ACCESS_KEY_ID"), "\(failure)")
    }

    private static func process(_ script: String) async throws -> Result<S3Credentials, ObjectStoreError> {
        let home = try Home(config: "[profile p]\ncredential_process = /bin/sh -c '\(script)'\n")
        defer { withExtendedLifetime(home) {} }
        return await fetch(home.chain(profile: "p"))
    }

    @Test("A credential_process gives what it prints; its words are no shell's")
    func credentialProcess() async throws {
        let json = String(decoding: Self.document("SessionToken"), as: UTF8.self).replacing("\n", with: " ")
        #expect(
            try await Self.process("printf %s \"\(json.replacing("\"", with: "\\\""))\"").get()
                == Self.temporary)
        let plain = #"{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\"}"#
        let found = try await Self.process("cat; echo \"\(plain)\"").get()
        #expect(found == S3Credentials(accessKey: "A", secretKey: "B"))
    }

    @Test(
        "A credential_process that fails is named, without what it printed",
        arguments: [
            ("echo CANARY; echo CANARY >&2; exit 3", "status 3"), ("kill -9 $$", "status 137"), ("echo CANARY", "JSON"),
            ("exit 0", "JSON"), (#"echo "{\"Version\":2}""#, "Version"), ("yes CANARY", "more than credentials"),
            (#"echo "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"CANARY 2\"}""#, "header"),
            (#"echo "{\"Version\":1,\"AccessKeyId\":\"A\"}""#, "missing"),
            (
                #"echo "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"B\",\"Expiration\":\"x\"}""#,
                "no time"
            ),
        ])
    func failingProcess(_ script: String, _ reason: String) async throws {
        let failure = Self.text(of: try await Self.process(script))
        #expect(failure.hasPrefix("denied") && failure.contains("profile p") && failure.contains(reason), "\(failure)")
        #expect(!failure.contains("CANARY"))
    }

    @Test("A credential_process that does not exist, and one that never ends")
    func hangingProcess() async throws {
        let home = try Home(config: "[profile p]\ncredential_process = /no/such/program\n")
        #expect(await Self.failure(home.chain(profile: "p")).contains("cannot be run"))
        let started = ContinuousClock.now
        for script in ["sleep 100", "sleep 100 & exec sleep 100", "exec 1>&-; sleep 100"] {
            #expect(throws: ObjectStoreError.unreachable(reason: "it did not end in time")) {
                try CredentialProcess.output(["sh", "-c", script], source: "it", deadline: .soon)
            }
        }
        // Long before it would have ended.
        #expect(ContinuousClock.now - started < .seconds(60))
    }

    @Test(
        "Times of expiry, with and without fractions",
        arguments: [
            ("1970-01-02T00:00:00Z", 86400), ("1970-01-02T00:00:00.123Z", 86400), ("1970-01-02T01:00:00+01:00", 86400),
            ("tomorrow", nil), ("", nil),
        ] as [(String, Int64?)])
    func times(_ text: String, _ seconds: Int64?) {
        #expect(CredentialDocument.seconds(text) == seconds)
    }
}
