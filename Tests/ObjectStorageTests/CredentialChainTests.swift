import Foundation
import Glibc
import Testing

@testable import ObjectStorage

@Suite("Where credentials come from")
struct CredentialChainTests {
    private static func keys(_ name: String, _ token: String? = nil) -> CredentialRecipe {
        .ready(S3Credentials(accessKey: name, secretKey: "S\(name)", sessionToken: token))
    }

    private static func profile(_ section: String, _ key: String) -> String {
        "[\(section)]\naws_access_key_id = \(key)\naws_secret_access_key = S\(key)\n"
    }

    private static let environmentKeys = ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "SE"]
    private static let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/creds?id=1"]
    private static let identity = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:role"]

    @Test("The order: environment, role, web identity, keys, container, instance; what is named expressly goes first")
    func order() throws {
        let home = try Home(
            credentials: Self.profile("default", "D") + Self.profile("p", "P"), config: Self.profile("profile q", "Q"))
        let passwd = home.path + "/passwd"
        try home.write("photos:F:SF\n", to: "passwd")
        chmod(passwd, 0o600)
        let all = Self.environmentKeys.merging(Self.container) { $1 }.merging(Self.identity) { $1 }
        #expect(try home.chain(passwdFile: passwd, all).recipe() == Self.keys("F"))
        #expect(try home.chain(profile: "p", all).recipe() == Self.keys("P"))
        #expect(try home.chain(all).recipe() == Self.keys("E"))
        #expect(try home.chain(all.merging(["AWS_SESSION_TOKEN": "T"]) { $1 }).recipe() == Self.keys("E", "T"))
        #expect(try home.chain(all.merging(["AWS_PROFILE": "p"]) { $1 }).recipe() == Self.keys("E"))
        #expect(try home.chain(["AWS_PROFILE": "q"]).recipe() == Self.keys("Q"))
        let less = Self.container.merging(Self.identity) { $1 }
        #expect(try home.chain(less).recipe().name == "the role arn:role")
        #expect(try home.chain(profile: "p", less).recipe() == Self.keys("P"))
        #expect(try home.chain(Self.container).recipe() == Self.keys("D"))
        try home.write(config: "[profile r]\nrole_arn=arn:r\nsource_profile=p\n")
        #expect(try home.chain(less.merging(["AWS_PROFILE": "r"]) { $1 }).recipe().name == "the role arn:r")
        let empty = try Home()
        #expect(try empty.chain(less).recipe().name == "the role arn:role")
        #expect(try empty.chain(Self.container).recipe().name == "the container's credentials endpoint")
        let instance = try empty.chain(["AWS_EC2_METADATA_DISABLED": "false"]).recipe()
        #expect(instance.name == "the instance metadata service")
        #expect(throws: StoreConfigurationError.self) { try empty.chain().recipe() }
    }

    @Test("In one profile: a role, then keys of the credentials file, a process, keys of the config file")
    func inProfile() throws {
        let home = try Home(
            credentials: Self.profile("p", "C"),
            config: Self.profile("profile p", "F") + "credential_process = get 'it now'\n"
                + Self.profile("profile s", "S"))
        #expect(try home.chain(profile: "p").recipe() == Self.keys("C"))
        try home.write(credentials: "")
        #expect(try home.chain(profile: "p").recipe() == .process(["get", "it now"], profile: "p"))
        try home.write(credentials: Self.profile("p", "C") + "role_arn=arn:r\nsource_profile=s\n")
        guard case .role(let role, Self.keys("S")) = try home.chain(profile: "p").recipe() else {
            Issue.record("no role")
            return
        }
        #expect(role.arn == "arn:r")
    }

    @Test("Roles lead to other profiles, to a profile's own keys, to the environment and the machine")
    func roles() throws {
        let home = try Home(
            config: """
                [profile a]
                role_arn = arn:a
                source_profile = b
                external_id = X
                role_session_name = N
                duration_seconds = 1200
                [profile b]
                role_arn = arn:b
                source_profile = b
                aws_access_key_id = B
                aws_secret_access_key = SB
                [profile chained]
                role_arn = arn:c
                source_profile = middle
                [profile middle]
                role_arn = arn:m
                credential_source = Environment
                """)
        guard case .role(let role, Self.keys("B")) = try home.chain(profile: "a").recipe() else {
            Issue.record("no role")
            return
        }
        #expect([role.arn, role.sessionName, role.externalID] == ["arn:a", "N", "X"])
        #expect(role.duration == 1200)
        guard case .role(_, Self.keys("B")) = try home.chain(profile: "b").recipe() else {
            Issue.record("no role")
            return
        }
        let chained = try home.chain(profile: "chained", Self.environmentKeys).recipe()
        guard case .role(_, .role(let middle, Self.keys("E"))) = chained else {
            Issue.record("no chain of roles")
            return
        }
        #expect(middle.arn == "arn:m")
    }

    @Test(
        "A profile that cannot be used is named, with the reason and without its secrets",
        arguments: [
            ("[p]\naws_access_key_id=K\n", "aws_access_key_id without"),
            ("[p]\naws_secret_access_key=CANARY\n", "nothing"),
            ("[p]\naws_access_key_id=K\naws_secret_access_key=CANARY\n  x\n", "no header"), ("[q]\n", "has it"),
            ("[p]\nrole_arn=r\n", "source_profile or credential_source"),
            ("[p]\nrole_arn=r\nsource_profile=s\ncredential_source=Environment\n", "leave one out"),
            ("[p]\nrole_arn=r\nsource_profile=s\n", "does not exist"),
            ("[p]\nrole_arn=r\nsource_profile=q\n[q]\nrole_arn=r\nsource_profile=p\n", "leads back"),
            ("[p]\nrole_arn=r\nsource_profile=p\n", "no keys of its own"),
            ("[p]\nrole_arn=r\ncredential_source=Elsewhere\n", "none of Environment"),
            ("[p]\nrole_arn=r\ncredential_source=Ec2InstanceMetadata\n", "has no credentials here"),
            ("[p]\nrole_arn=r\nmfa_serial=m\nsource_profile=q\n[q]\n", "mfa_serial"),
            ("[p]\nrole_arn=r\nduration_seconds=1\nsource_profile=q\n[q]\n", "duration_seconds"),
            ("[p]\nweb_identity_token_file=/t\n", "needs role_arn"), ("[p]\ncredential_process='\n", "quote"),
            ("[p]\nsso_session=s\n", "aws configure export-credentials --profile p"),
            ("[p]\nsso_start_url=https://s\nsso_account_id=1\n", "IAM Identity Center (SSO)"),
        ])
    func unusable(_ text: String, _ reason: String) throws {
        let home = try Home(credentials: text)
        for chain in [home.chain(profile: "p"), home.chain(["AWS_PROFILE": "p"])] where reason != "nothing" {
            #expect {
                try chain.recipe()
            } throws: {
                "\($0)".contains("profile ") && "\($0)".contains(reason) && !"\($0)".contains("CANARY")
            }
        }
        #expect(throws: StoreConfigurationError.self) { try home.chain(profile: "p").recipe() }
    }

    @Test("A file that others can read is taken, as the AWS CLI takes it")
    func permissions() throws {
        let home = try Home(credentials: Self.profile("default", "D"))
        chmod(home.path + "/.aws/credentials", 0o644)
        #expect(try home.chain().recipe() == Self.keys("D"))
    }

    @Test(
        "The container's endpoint is on this machine, at its services' addresses, or behind TLS",
        arguments: [
            ("http://127.0.0.1:1/a?b", true), ("http://localhost/", true), ("http://[::1]/", true),
            ("http://169.254.170.23/v1", true), ("http://[fd00:ec2::23]/v1", true), ("https://example.com/x", true),
            ("http://example.com/x", false), ("http://169.254.169.254/", false), ("ftp://127.0.0.1/", false),
            ("http://u:p@127.0.0.1/", false), ("http://127.0.0.1.example.com/", false),
        ])
    func containers(_ url: String, _ isGood: Bool) throws {
        let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]
        #expect(((try? ContainerEndpoint(environment: environment)) != nil) == isGood)
        let both = environment.merging(Self.container) { $1 }
        let found = try #require(try ContainerEndpoint(environment: both))
        #expect(found.endpoint.origin + found.target == "http://169.254.170.2/creds?id=1")
    }

    @Test("STS is asked where the variables or the profile say, else in the region")
    func service() throws {
        let home = try Home(
            config: "[profile p]\nrole_arn=r\nsource_profile=p\naws_access_key_id=K\naws_secret_access_key=S\n")
        func host(_ environment: [String: String], region: String = "eu-west-1") throws -> String {
            guard case .role(let role, _) = try home.chain(profile: "p", region: region, environment).recipe() else {
                return ""
            }
            return "\(role.service.region) \(role.service.endpoint.origin)"
        }
        #expect(try host([:]) == "eu-west-1 https://sts.eu-west-1.amazonaws.com")
        #expect(try host([:], region: "cn-north-1") == "cn-north-1 https://sts.cn-north-1.amazonaws.com.cn")
        #expect(try host(["AWS_ENDPOINT_URL": "https://all"]) == "eu-west-1 https://all")
        let both = ["AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_STS": "https://sts"]
        #expect(try host(both) == "eu-west-1 https://sts")
        #expect(throws: StoreConfigurationError.self) { try host(["AWS_ENDPOINT_URL_STS": "http://sts.example.com"]) }
        try home.write(
            config: """
                [services x]
                sts =
                  endpoint_url = https://of-services
                [profile p]
                services = x
                role_arn = r
                source_profile = p
                aws_access_key_id = K
                aws_secret_access_key = S
                """)
        #expect(try host([:]) == "eu-west-1 https://of-services")
    }
}
