// What the server says of clock, region and credentials is learnt from, and nobody above sees the first answer.

import Foundation
import Logging
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Healing by what the server says", .timeLimit(.minutes(40)))
struct S3HealingTests {
    private static func error(_ code: String, _ more: String = "") -> [UInt8] {
        Array("<Error><Code>\(code)</Code><Message>CANARY-free</Message>\(more)</Error>".utf8)
    }

    /// Runs a test with keys in the default profile.
    private static func with(
        clock: ServerClock = ServerClock(), _ answer: @escaping @Sendable (CannedServer.Request) -> CannedServer.Answer,
        _ test: (S3Store, CannedServer, Home) async throws -> Void
    ) async throws {
        let server = try CannedServer(answer)
        defer { server.stop() }
        let home = try Home(credentials: keys("OLD"))
        try await test(try home.store(server.endpoint, clock: clock), server, home)
    }

    private static func keys(_ name: String) -> String {
        "[default]\naws_access_key_id = \(name)\naws_secret_access_key = CANARY\(name)\n"
    }

    private static func region(_ request: CannedServer.Request) -> Substring? {
        request.headers["authorization"]?.split(separator: "/").dropFirst(2).first
    }

    @Test(
        "A bucket in another region is found, whichever way the server says so, and remembered",
        arguments: [
            (400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>", ""),
            (301, "PermanentRedirect", "<Endpoint>x</Endpoint>", "eu-central-1"),
            (301, "PermanentRedirect", "<Region>eu-central-1</Region>", ""),
            (400, "IllegalLocationConstraintException", "", "eu-central-1"),
            (307, "TemporaryRedirect", "", "eu-central-1"),
        ])
    func region(_ status: Int, _ code: String, _ more: String, _ header: String) async throws {
        try await Self.with { request in
            if Self.region(request) == "eu-central-1" { return .reply(200) }
            let headers = header.isEmpty ? [:] : ["x-amz-bucket-region": header]
            return .reply(status, headers: headers, body: Self.error(code, more))
        } _: { store, server, _ in
            try await CannedS3.put(store)
            try await CannedS3.put(store)
            #expect(server.requests.map(Self.region) == ["us-east-1", "eu-central-1", "eu-central-1"])
            #expect(store.discoveries == [.region("eu-central-1")])
            // The body went along again.
            #expect(server.requests.allSatisfy { $0.body == [1, 2, 3] })
        }
    }

    @Test(
        "A HEAD, whose refusal has no body, finds the region by its header or by asking with a GET",
        arguments: [true, false])
    func headRegion(_ hasHeader: Bool) async throws {
        try await Self.with { request in
            if Self.region(request) == "eu-central-1" { return .reply(200, body: CannedS3.listing) }
            return .reply(
                400, headers: hasHeader ? ["x-amz-bucket-region": "eu-central-1"] : [:],
                body: Self.error("AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"))
        } _: { store, server, _ in
            let found = try await store.head("a", deadline: .farAway)
            #expect(found != nil)
            #expect(server.requests.count == (hasHeader ? 2 : 4))
        }
    }

    @Test("A server that changes its mind for ever is asked a bounded number of times")
    func circle() async throws {
        try await Self.with { request in
            let next = Self.region(request) == "a-1" ? "b-2" : "a-1"
            return .reply(400, body: Self.error("AuthorizationHeaderMalformed", "<Region>\(next)</Region>"))
        } _: { store, server, _ in
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "denied")
            #expect(server.requests.count == 3)
        }
    }

    @Test("A region that is none is not signed for")
    func badRegion() async throws {
        try await Self.with { _ in
            .reply(400, body: Self.error("AuthorizationHeaderMalformed", "<Region>a/b c</Region>"))
        } _: { store, server, _ in
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "denied")
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        "Credentials never go to a host outside the endpoint's domain, however the server points there",
        arguments: [301, 302, 307, 308], ["127.0.0.1", "localhost", "evil.localhost"])
    func otherHost(_ status: Int, _ host: String) async throws {
        let thief = try CannedServer { _ in .reply(200, body: CannedS3.listing) }
        defer { thief.stop() }
        try await Self.with { request in
            .reply(
                status, headers: ["Location": "http://\(host):\(thief.port)\(request.target)"],
                body: Self.error("TemporaryRedirect", "<Endpoint>\(host):\(thief.port)</Endpoint>"))
        } _: { store, server, _ in
            for _ in 1...2 {
                let failure = await CannedS3.outcome { try await CannedS3.put(store) }
                #expect(failure == "rejected")
            }
            await #expect {
                try await store.check(deadline: .farAway)
            } throws: {
                "\($0)".contains("points elsewhere, to \(host):\(thief.port)")
            }
            #expect(thief.connections == 0)
            #expect(server.requests.count == 3)
        }
    }

    @Test("A name below the endpoint's is followed and remembered")
    func nameBelow() async throws {
        let home = try Home(credentials: Self.keys("OLD"))
        let server = try CannedServer { request in
            let host = request.headers["host"] ?? ""
            guard host.hasPrefix("localhost") else { return .reply(200) }
            return .reply(307, headers: ["Location": "http://eu.\(host)\(request.target)"])
        }
        defer { server.stop() }
        let store = try home.store("http://localhost:\(server.port)")
        try await CannedS3.put(store)
        try await CannedS3.put(store)
        let below = "eu.localhost:\(server.port)"
        #expect(server.requests.map { $0.headers["host"] } == ["localhost:\(server.port)", below, below])
        #expect(store.discoveries == [.host(below)])
    }

    @Test("A host that the server pointed to and that is gone is forgotten: the endpoint is asked again")
    func goneBelow() async throws {
        let home = try Home(credentials: Self.keys("OLD"))
        let isGone = Mutex(false)
        let server = try CannedServer { request in
            let host = request.headers["host"] ?? ""
            if isGone.withLock({ $0 }) { return host.hasPrefix("eu.") ? .reset : .reply(200) }
            return host.hasPrefix("eu.")
                ? .reply(200) : .reply(307, headers: ["Location": "http://eu.\(host)\(request.target)"])
        }
        defer { server.stop() }
        let store = try home.store("http://localhost:\(server.port)")
        try await CannedS3.put(store)
        isGone.withLock { $0 = true }
        #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "unreachable")
        try await CannedS3.put(store)
        #expect(server.requests.last?.headers["host"] == "localhost:\(server.port)")
    }

    @Test(
        "A wrong clock is healed by the server's date, and remembered",
        arguments: ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"])
    func clock(_ code: String) async throws {
        let clock = ServerClock { 1_893_499_200 - 7200 }
        try await Self.with(clock: clock) { request in
            request.headers["x-amz-date"] == "20300101T120000Z"
                ? .reply(200)
                : .reply(403, headers: ["Date": "Tue, 01 Jan 2030 12:00:00 GMT"], body: Self.error(code))
        } _: { store, server, _ in
            #expect(store.discoveries.isEmpty)
            try await CannedS3.put(store)
            try await CannedS3.put(store)
            #expect(server.requests.count == 3)
            #expect(store.discoveries == [.clock(ahead: .seconds(7200))])
        }
    }

    @Test(
        "A server that finds every clock wrong, and one that says no date, are asked twice at most",
        arguments: ["", "x"])
    func hopelessClock(_ date: String) async throws {
        try await Self.with { _ in
            .reply(
                403, headers: ["Date": date.isEmpty ? "Tue, 01 Jan 2030 12:00:00 GMT" : date],
                body: Self.error("RequestTimeTooSkewed"))
        } _: { store, server, _ in
            #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "denied")
            #expect(server.requests.count == (date.isEmpty ? 2 : 1))
        }
    }

    @Test(
        "A key that was changed in its file heals without a remount",
        arguments: [
            "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
            "AccessDenied", "SomethingNew", "401",
        ])
    func rotation(_ code: String) async throws {
        let good = Mutex("OLD")
        try await Self.with { request in
            let isGood = request.headers["authorization"]?.contains("Credential=\(good.withLock { $0 })/") == true
            let refusal: CannedServer.Answer =
                code == "401" ? .reply(401, body: Array("a proxy spoke".utf8)) : .reply(403, body: Self.error(code))
            return isGood ? .reply(200, body: CannedS3.listing) : refusal
        } _: { store, server, home in
            try await CannedS3.put(store)
            good.withLock { $0 = "NEW" }
            try home.write(credentials: Self.keys("NEW"))
            try await CannedS3.put(store)
            // A HEAD's refusal says nothing, and heals all the same.
            good.withLock { $0 = "NEWER" }
            try home.write(credentials: Self.keys("NEWER"))
            let found = try await store.head("a", deadline: .farAway)
            #expect(found != nil)
        }
    }

    @Test("Credentials that nobody has changed are refused once, without a second request")
    func refusal() async throws {
        try await Self.with { _ in
            .reply(403, body: Self.error("InvalidAccessKeyId"))
        } _: { store, server, _ in
            for _ in 1...3 { #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "denied") }
            #expect(server.requests.count == 3)
        }
    }

    @Test("Secrets show in no log, whatever fails")
    func logs() async throws {
        let log = Mutex("")
        let logger = Logger(label: "test") { _ in CollectingLog { line in log.withLock { $0 += line } } }
        let home = try Home(
            config: """
                [profile p]
                role_arn = arn:r
                source_profile = s
                [profile s]
                credential_process = sh -c 'echo CANARY; exit 1'
                """)
        let server = try CannedServer { _ in .reply(403, body: Self.error("InvalidAccessKeyId")) }
        defer { server.stop() }
        let more = ["AWS_PROFILE": "p", "https_proxy": "http://u:CANARY@127.0.0.1:1"]
        let store = try S3Store(
            S3Configuration(
                bucket: "photos", prefix: "", options: StoreOptions(endpoint: server.endpoint),
                environment: home.environment.merging(more) { $1 }), logger: logger)
        let failure = await CannedS3.outcome { try await store.check(deadline: .farAway) }
        #expect(failure == "denied")
        let text = log.withLock { $0 }
        #expect(text.contains("the credential_process of the profile s failed with the status 1"), "\(text)")
        #expect(!text.contains("CANARY"))
    }
}

/// Writes each message with its metadata to a function.
private struct CollectingLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    let write: @Sendable (String) -> Void

    init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        write("\(event.level) \(event.message) \(event.metadata ?? [:])\n")
    }
}
