import Foundation
import Logging

@testable import ObjectStorage

/// A home directory with the files of the AWS tools, and the ways to credentials from there.
final class Home: Sendable {
    private let directory: TemporaryDirectory
    private let more: [String: String]
    var path: String { directory.path }

    init(credentials: String = "", config: String = "", more: [String: String] = [:]) throws {
        directory = try TemporaryDirectory()
        self.more = more
        try FileManager.default.createDirectory(atPath: path + "/.aws", withIntermediateDirectories: true)
        try write(credentials: credentials)
        try write(config: config)
    }

    /// Nothing else of the machine's is in it.
    var environment: [String: String] {
        ["HOME": path, "AWS_EC2_METADATA_DISABLED": "true"].merging(more) { $1 }
    }

    func write(credentials: String) throws { try write(credentials, to: ".aws/credentials") }
    func write(config: String) throws { try write(config, to: ".aws/config") }

    /// Replaces a file as programs do it: never half of it is there.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"), options: .atomic)
    }

    /// The chain of a store for the bucket `photos` that starts here.
    func chain(
        passwdFile: String? = nil, profile: String? = nil, region: String = "eu-west-1",
        _ more: [String: String] = [:]
    ) -> CredentialChain {
        CredentialChain(
            bucket: "photos", passwdFile: passwdFile, profile: profile, region: region,
            environment: environment.merging(more) { $1 })
    }

    /// Gives what the chain leads to.
    static func provider(
        _ chain: CredentialChain, clock: ServerClock = ServerClock(), pause: Duration = .zero,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) -> CredentialsProvider {
        let fetcher = CredentialFetcher(caBundle: nil, proxies: ProxySettings(environment: [:]), clock: clock)
        return CredentialsProvider(chain, fetcher, clock: clock, logger: logger, pause: pause)
    }

    /// A store for the bucket `photos` whose keys come from here.
    func store(
        _ endpoint: String, clock: ServerClock = ServerClock(), addressing: S3Addressing? = nil,
        _ more: [String: String] = [:]
    ) throws -> S3Store {
        try S3Store(
            S3Configuration(
                bucket: "photos", prefix: "shop", options: StoreOptions(endpoint: endpoint, addressing: addressing),
                environment: environment.merging(more) { $1 }), timeouts: CannedS3.patient, clock: clock,
            enforcement: Enforcement(UploadProof(refusesWrongMD5: true)))
    }
}
