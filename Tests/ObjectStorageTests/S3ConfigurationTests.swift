import Foundation
import Glibc
import Logging
import Testing

@testable import ObjectStorage

@Suite("Configuration of an S3 store")
struct S3ConfigurationTests {
    private static let keys = [
        "AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "CANARY", "AWS_SESSION_TOKEN": "CANARY2",
    ]

    private static func make(
        _ options: StoreOptions = StoreOptions(), _ environment: [String: String]
    ) throws -> S3Configuration {
        try S3Configuration(bucket: "photos", prefix: "", options: options, environment: environment)
    }

    private static func with(_ more: [String: String]) -> [String: String] { keys.merging(more) { $1 } }

    @Test("Endpoint and region come from the options, then from the variables of the AWS tools")
    func precedence() throws {
        let variables = Self.with(["AWS_ENDPOINT_URL": "https://general", "AWS_DEFAULT_REGION": "r-general"])
        let special = variables.merging(["AWS_ENDPOINT_URL_S3": "https://s3only", "AWS_REGION": "r-special"]) { $1 }
        #expect(try Self.make(.init(), variables).endpoint.host == "general")
        #expect(try Self.make(.init(), variables).region == "r-general")
        #expect(try Self.make(.init(), special).endpoint.host == "s3only")
        #expect(try Self.make(.init(), special).region == "r-special")
        let chosen = try Self.make(.init(endpoint: "https://own:8443/base/", region: "r-own"), special)
        #expect(chosen.endpoint.origin == "https://own:8443")
        #expect(chosen.endpoint.basePath == "/base")
        #expect(chosen.region == "r-own")
    }

    @Test("Without an endpoint it is AWS; with one the region may be missing")
    func defaults() throws {
        let aws = try Self.make(.init(), Self.with(["AWS_REGION": "eu-central-1"]))
        #expect(aws.endpoint.origin == "https://s3.eu-central-1.amazonaws.com")
        #expect(try Self.make(.init(endpoint: "https://host:443"), Self.keys).region == "us-east-1")
        #expect(try Self.make(.init(endpoint: "https://host:443"), Self.keys).endpoint.host == "host")
    }

    @Test(
        "What is missing is named",
        arguments: [
            (["AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S"], "AWS_ENDPOINT_URL_S3"),
            (["AWS_REGION": "r", "AWS_SECRET_ACCESS_KEY": "S"], "AWS_ACCESS_KEY_ID"),
            (["AWS_REGION": "r", "AWS_EC2_METADATA_DISABLED": "true"], "AWS_ACCESS_KEY_ID"),
            (["AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": ""], "AWS_SECRET_ACCESS_KEY"),
        ])
    func missing(_ environment: [String: String], _ variable: String) throws {
        #expect {
            try makeObjectStore(
                try BackupURL("s3://photos"), StoreOptions(), environment: environment, logger: Logger(label: "test"))
        } throws: { error in
            guard case .missingVariable(variable, _) = error as? StoreConfigurationError else { return false }
            return "\(error)".contains(variable)
        }
    }

    @Test("S7: plain http is for this machine, unless allowed expressly")
    func insecure() throws {
        for host in ["http://127.0.0.1:8333", "http://localhost", "http://[::1]:80"] {
            #expect(try Self.make(.init(endpoint: host), Self.keys).endpoint.isSecure == false)
        }
        for host in [
            "http://s3.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1",
        ] {
            #expect(throws: StoreConfigurationError.self) { try Self.make(.init(endpoint: host), Self.keys) }
            #expect(throws: Never.self) { try Self.make(.init(endpoint: host, allowInsecure: true), Self.keys) }
        }
    }

    @Test("A value that cannot be used is refused")
    func unusable() {
        let unusable = [
            StoreOptions(endpoint: "host"), StoreOptions(endpoint: "ftp://host"),
            StoreOptions(endpoint: "https://u:p@host"),
            StoreOptions(endpoint: "https://host?x"), StoreOptions(endpoint: "https://h", region: "a b"),
            StoreOptions(endpoint: "https://h", transfers: 0),
            StoreOptions(endpoint: "https://h", caBundle: "/no/such/file"),
            StoreOptions(endpoint: "https://h", passwdFile: "/no/such/file"),
        ]
        for options in unusable {
            #expect(throws: StoreConfigurationError.self) { try Self.make(options, Self.keys) }
        }
        #expect(throws: StoreConfigurationError.self) {
            try Self.make(.init(endpoint: "https://h"), Self.with(["AWS_SECRET_ACCESS_KEY": "a\r\nb"]))
        }
    }

    @Test("S1: secrets show in no description, reflection or dump")
    func redaction() throws {
        let configuration = try Self.make(.init(endpoint: "https://host"), Self.keys)
        var dumped = ""
        dump(configuration, to: &dumped)
        let recipe = try configuration.credentials.recipe()
        dump(recipe, to: &dumped)
        dumped += "\(configuration) \(recipe) \(String(reflecting: recipe))"
        #expect(!dumped.contains("CANARY"))
        guard case .ready(let credentials) = recipe else { throw ObjectStoreError.noCredentials("other recipe") }
        dump(credentials, to: &dumped)
        dumped += "\(credentials) \(String(reflecting: credentials))"
        #expect(!dumped.contains("CANARY"))
        #expect(credentials.sessionToken == "CANARY2")
    }

    @Test("A password file gives the bucket's own credentials, else the common ones")
    func passwdFile() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/passwd"
        let text = "# comment\nother:A:B\nCOMMON:SECRET1 \nphotos:OWN:SECRET2\n"
        try Data(text.utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        let found = try PasswdFile.credentials(path, bucket: "photos")
        #expect(found == S3Credentials(accessKey: "OWN", secretKey: "SECRET2"))
        let common = try PasswdFile.credentials(path, bucket: "third")
        #expect(common == S3Credentials(accessKey: "COMMON", secretKey: "SECRET1"))
        let configuration = try Self.make(.init(endpoint: "https://host", passwdFile: path), [:])
        #expect(try configuration.credentials.recipe() == .ready(found))
    }

    @Test("S1: a password file that others can read, or without a fitting line, is refused")
    func badPasswdFile() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/passwd"
        try Data("KEY:CANARY\n".utf8).write(to: URL(filePath: path))
        for mode: mode_t in [0o640, 0o604, 0o620, 0o644] {
            chmod(path, mode)
            #expect(throws: StoreConfigurationError.self) { try PasswdFile.credentials(path, bucket: "photos") }
        }
        try Data("other:KEY:CANARY\nnonsense\n".utf8).write(to: URL(filePath: path))
        chmod(path, 0o600)
        #expect {
            try PasswdFile.credentials(path, bucket: "photos")
        } throws: {
            $0 is StoreConfigurationError && !"\($0)".contains("CANARY")
        }
    }
}
