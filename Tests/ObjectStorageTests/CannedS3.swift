import Testing

@testable import ObjectStorage

/// S3 stores whose server gives canned answers, and short ways to ask them.
enum CannedS3 {
    /// Long after the suite's time limit: only a test whose promise is broken waits for it.
    static var tooFar: ContinuousClock.Instant { .now + .seconds(3600) }

    static let environment = ["AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "CANARY"]
    static let listing = Array(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".utf8)

    /// Without a Retrier an answer that a busy machine delays must not end a call.
    static let patient = TransferTimeouts(kept: .seconds(30))

    /// A store that knows what its server checks, unless `proof` is nil: then it finds out.
    static func store(
        _ endpoint: String, transfers: Int = 4, options: StoreOptions = StoreOptions(),
        timeouts: TransferTimeouts = patient, proof: UploadProof? = UploadProof(refusesWrongMD5: true)
    ) throws -> S3Store {
        var options = options
        options.endpoint = endpoint
        options.transfers = transfers
        return try S3Store(
            S3Configuration(bucket: "photos", prefix: "shop", options: options, environment: environment),
            timeouts: timeouts, enforcement: Enforcement(proof))
    }

    /// Runs a test against a server that answers as told.
    static func with(
        timeouts: TransferTimeouts = patient,
        _ answer: @escaping @Sendable (CannedServer.Request) -> CannedServer.Answer,
        _ test: @Sendable (S3Store, CannedServer) async throws -> Void
    ) async throws {
        let server = try CannedServer(answer)
        defer { server.stop() }
        try await test(try Self.store(server.endpoint, timeouts: timeouts), server)
    }

    static func put(_ store: S3Store, deadline: ContinuousClock.Instant = .farAway) async throws {
        try await store.put("a", .bytes([1, 2, 3]), ObjectAttributes(), deadline: deadline)
    }

    static func get(_ store: S3Store, deadline: ContinuousClock.Instant = .farAway) async throws -> [UInt8] {
        let target = try TemporaryFile()
        _ = try await store.get("a", into: target.descriptor, limit: 1000, deadline: deadline)
        return try target.contents
    }

    /// The kind of error that a request ends with; nil if it succeeds.
    static func outcome(_ request: () async throws -> Void) async -> String? {
        do { try await request() } catch { return name(of: error) }
        return nil
    }

    static func name(of error: any Error) -> String {
        switch error as? ObjectStoreError {
        case .notFound: "notFound"
        case .noSuchBucket: "noSuchBucket"
        case .denied: "denied"
        case .full: "full"
        case .unreachable: "unreachable"
        case .deadlineExceeded: "deadlineExceeded"
        case .corrupted: "corrupted"
        case .contentChanged: "contentChanged"
        case .rejected: "rejected"
        case .localFile: "localFile"
        case nil: "\(error)"
        }
    }
}
