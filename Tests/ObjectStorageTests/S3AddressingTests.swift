// Where requests go: what providers' hosts say, where the bucket's name goes, and through which proxy.

import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Providers and addressing", .timeLimit(.minutes(40)))
struct S3AddressingTests {
    private static func make(
        _ endpoint: String?, bucket: String = "photos", region: String? = nil, addressing: S3Addressing? = nil,
        config: String = ""
    ) throws -> S3Configuration {
        let home = try Home(config: config)
        return try S3Configuration(
            bucket: bucket, prefix: "",
            options: StoreOptions(endpoint: endpoint, region: region, addressing: addressing, allowInsecure: true),
            environment: home.environment.merging(CannedS3.environment) { $1 })
    }

    @Test(
        "The region follows from the provider's host, unless it is given",
        arguments: [
            ("https://s3.amazonaws.com", "us-east-1"), ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
            ("https://s3-eu-west-1.amazonaws.com", "eu-west-1"),
            ("https://s3.dualstack.ap-northeast-2.amazonaws.com", "ap-northeast-2"),
            ("https://s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("https://0123abcd.r2.cloudflarestorage.com", "auto"),
            ("https://s3.us-west-004.backblazeb2.com", "us-west-004"), ("https://s3.wasabisys.com", "us-east-1"),
            ("https://s3.eu-central-2.wasabisys.com", "eu-central-2"), ("https://sgp1.vultrobjects.com", "us-east-1"),
            ("https://minio.example.com:9000", "us-east-1"),
            ("https://s3-website-eu-west-1.amazonaws.com", "us-east-1"),
            ("https://s3-accelerate.amazonaws.com", "us-east-1"),
            ("https://evils3.amazonaws.com.example.com", "us-east-1"),
        ])
    func regions(_ endpoint: String, _ region: String) throws {
        #expect(try Self.make(endpoint).region == region)
        #expect(try Self.make(endpoint, region: "own-1").region == "own-1")
    }

    @Test(
        "The bucket's name goes into the path, at AWS into the host's name where its certificate allows",
        arguments: [
            ("https://s3.eu-central-1.amazonaws.com", "photos", "photos.s3.eu-central-1.amazonaws.com", "/"),
            ("https://s3.eu-central-1.amazonaws.com", "my.photos", "s3.eu-central-1.amazonaws.com", "/my.photos"),
            ("https://s3.example.com/base", "photos", "s3.example.com", "/base/photos"),
            ("https://account.r2.cloudflarestorage.com", "photos", "account.r2.cloudflarestorage.com", "/photos"),
            ("http://[::1]:9000", "photos", "[::1]:9000", "/photos"),
        ])
    func automatic(_ endpoint: String, _ bucket: String, _ host: String, _ path: String) throws {
        let address = try Self.make(endpoint, bucket: bucket).address
        #expect(address.server.host == host)
        #expect(address.root == path)
    }

    @Test("Without an endpoint it is AWS in the region, China's own domain included")
    func amazon() throws {
        #expect(try Self.make(nil, region: "eu-west-3").address.server.host == "photos.s3.eu-west-3.amazonaws.com")
        #expect(try Self.make(nil, region: "cn-north-1").address.server.host == "photos.s3.cn-north-1.amazonaws.com.cn")
    }

    @Test("An option decides, else the profile; an IP address has no names below it")
    func chosen() throws {
        let amazon = "https://s3.eu-central-1.amazonaws.com"
        #expect(try Self.make(amazon, addressing: .path).address.root == "/photos")
        let virtual = try Self.make("https://s3.example.com:8443/base", addressing: .virtual).address
        #expect(virtual.server.host == "photos.s3.example.com:8443")
        #expect(virtual.path == "/base")
        let config = "[default]\ns3 =\n  addressing_style = virtual\n"
        #expect(try Self.make("https://s3.example.com", config: config).address.addressing == .virtual)
        #expect(try Self.make("https://s3.example.com", addressing: .path, config: config).address.addressing == .path)
        for endpoint in ["https://127.0.0.1", "https://[::1]"] {
            #expect(throws: StoreConfigurationError.self) { try Self.make(endpoint, addressing: .virtual) }
        }
        #expect(throws: StoreConfigurationError.self) {
            try Self.make("https://s3.example.com", bucket: "Photos_1", addressing: .virtual)
        }
    }

    @Test("A server is asked under the bucket's own name")
    func virtualRequests() async throws {
        let server = try CannedServer { request in
            .reply(200, body: request.method == "GET" ? CannedS3.listing : [])
        }
        defer { server.stop() }
        let store = try Home(more: CannedS3.environment).store("http://localhost:\(server.port)", addressing: .virtual)
        try await store.check(deadline: .farAway)
        try await CannedS3.put(store)
        #expect(server.requests.allSatisfy { $0.headers["host"] == "photos.localhost:\(server.port)" })
        #expect(server.requests.first?.target.hasPrefix("/?encoding-type=url") == true)
        #expect(server.requests.last?.target == "/shop/a")
    }

    @Test("A server at an IPv6 address is reached")
    func sixth() async throws {
        let server = try CannedServer(isSixth: true) { _ in .reply(200) }
        defer { server.stop() }
        try await CannedS3.put(try CannedS3.store("http://[::1]:\(server.port)"))
        #expect(server.requests.map { $0.headers["host"] } == ["[::1]:\(server.port)"])
    }

    @Test("At AWS another region's host is made from its name, within the partition only")
    func otherRegions() throws {
        let plain = try #require(AWSHost("s3.eu-west-1.amazonaws.com"))
        #expect(plain.name(in: "us-east-2") == "s3.us-east-2.amazonaws.com")
        #expect(plain.name(in: "cn-north-1") == nil)
        let dual = try #require(AWSHost("s3.dualstack.eu-west-1.amazonaws.com"))
        #expect(dual.name(in: "eu-west-2") == "s3.dualstack.eu-west-2.amazonaws.com")
        #expect(try #require(AWSHost("s3.amazonaws.com")).name(in: "eu-west-2") == "s3.eu-west-2.amazonaws.com")
        for name in ["s3.evil.amazonaws.com", "s3.amazonaws.com.evil.com", "x.s3.amazonaws.com", "ec2.amazonaws.com"] {
            #expect(AWSHost(name) == nil, "\(name)")
        }
    }

    @Test("At AWS a redirect is followed to the region's own host, whatever host it names")
    func redirectAtAmazon() throws {
        let configured = try Self.make("https://s3.eu-west-1.amazonaws.com").address
        let place = BucketPlace(region: "eu-west-1", address: configured)
        var answer = S3Answer()
        answer.status = 301
        answer.bucketRegion = "us-east-2"
        answer.location = "https://thief.amazonaws.com/a"
        let next = try #require(place.followed(by: answer, configured: configured))
        #expect(next.region == "us-east-2")
        #expect(next.address.server.host == "photos.s3.us-east-2.amazonaws.com")
        answer.bucketRegion = nil
        #expect(place.followed(by: answer, configured: configured) == nil)
        answer.bucketRegion = "evil.example"
        #expect(place.followed(by: answer, configured: configured) == nil)
        answer.bucketRegion = "cn-north-1"
        #expect(place.followed(by: answer, configured: configured) == nil)
    }

    @Test("At AWS the region that was found is kept through an outage")
    func outageAtAmazon() async throws {
        let elsewhere = "photos.s3.eu-west-1.amazonaws.com"
        let isDown = Mutex(true)
        let proxy = try CannedServer { request in
            guard request.headers["host"] == elsewhere else {
                return .reply(301, headers: ["x-amz-bucket-region": "eu-west-1"])
            }
            return isDown.withLock { $0 } ? .reset : .reply(200)
        }
        defer { proxy.stop() }
        let store = try S3Store(
            S3Configuration(
                bucket: "photos", prefix: "",
                options: StoreOptions(endpoint: "http://s3.us-east-1.amazonaws.com", allowInsecure: true),
                environment: Home().environment.merging(CannedS3.environment) { $1 }
                    .merging(["http_proxy": proxy.endpoint]) { $1 }),
            timeouts: TransferTimeouts(), enforcement: Enforcement(UploadProof(refusesWrongMD5: true)))
        #expect(await CannedS3.outcome { try await CannedS3.put(store) } == "unreachable")
        isDown.withLock { $0 = false }
        try await CannedS3.put(store)
        let hosts = proxy.requests.map { $0.headers["host"] }
        #expect(hosts.first == "photos.s3.us-east-1.amazonaws.com")
        // libcurl itself tries a connection again that it had kept.
        #expect(hosts.count >= 3 && hosts.dropFirst().allSatisfy { $0 == elsewhere })
        #expect(store.discoveries == [.region("eu-west-1")])
    }

    @Test("A proxy is asked for other machines, with the whole URL, and never for this one")
    func proxy() async throws {
        let proxy = try CannedServer { _ in .reply(200) }
        defer { proxy.stop() }
        let environment = CannedS3.environment.merging(["http_proxy": proxy.endpoint]) { $1 }
        func store(_ endpoint: String, _ more: [String: String] = [:]) throws -> S3Store {
            try S3Store(
                S3Configuration(
                    bucket: "photos", prefix: "", options: StoreOptions(endpoint: endpoint, allowInsecure: true),
                    environment: Home().environment.merging(environment) { $1 }.merging(more) { $1 }),
                timeouts: TransferTimeouts(), enforcement: Enforcement(UploadProof(refusesWrongMD5: true)))
        }
        try await CannedS3.put(try store("http://s3.invalid"))
        #expect(proxy.requests.map(\.target) == ["http://s3.invalid/photos/a"])
        #expect(proxy.requests.first?.headers["host"] == "s3.invalid")
        let server = try CannedServer { _ in .reply(200) }
        defer { server.stop() }
        try await CannedS3.put(try store(server.endpoint))
        let excepted = try store("http://s3.invalid", ["no_proxy": ".invalid"])
        #expect(await CannedS3.outcome { try await CannedS3.put(excepted) } == "unreachable")
        #expect(proxy.requests.count == 1)
        #expect(server.requests.count == 1)
    }

    @Test("A proxy that is not there is named as what is to be corrected, without its password")
    func wrongProxy() async throws {
        let port = try CannedServer.unusedPort()
        for proxy in ["http://u:CANARY@127.0.0.1:\(port)", "http://u:CANARY@no-such-proxy.invalid:1"] {
            let store = try S3Store(
                S3Configuration(
                    bucket: "photos", prefix: "", options: StoreOptions(endpoint: "https://s3.invalid"),
                    environment: Home().environment.merging(CannedS3.environment) { $1 }
                        .merging(["https_proxy": proxy]) { $1 }))
            await #expect {
                try await CannedS3.put(store)
            } throws: {
                "\($0)".contains("https_proxy") && !"\($0)".contains("CANARY")
            }
        }
    }

    @Test(
        "Which variable names the proxy",
        arguments: [
            (["https_proxy": "a", "HTTPS_PROXY": "b"], "https://h", "a"), (["HTTPS_PROXY": "b"], "https://h", "b"),
            (["all_proxy": "c"], "https://h", "c"), (["ALL_PROXY": "c"], "http://h", "c"),
            (["http_proxy": "d"], "http://h", "d"), (["http_proxy": "d"], "https://h", ""),
            (["HTTP_PROXY": "e"], "http://h", ""), (["https_proxy": "a"], "https://localhost", ""),
        ])
    func proxyVariables(_ environment: [String: String], _ endpoint: String, _ proxy: String) throws {
        let endpoint = try S3Endpoint(endpoint, setting: "", allowInsecure: true)
        #expect(ProxySettings(environment: environment).proxy(for: endpoint) == proxy)
    }
}
