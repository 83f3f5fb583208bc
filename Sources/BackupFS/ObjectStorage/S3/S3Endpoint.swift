import Foundation

/// The root URL of a server.
struct S3Endpoint: Sendable, Equatable {
    /// Whether TLS is used.
    let isSecure: Bool
    /// The name or address, in lower case; IPv6 in brackets.
    let name: String
    /// Host and, unless it is the scheme's own, port: what a Host header says.
    let host: String
    /// The path below which buckets are, percent-encoded; empty or with a slash at the start only.
    let basePath: String

    /// Reads `https://host[:port][/path]`.
    ///
    /// Throws `.invalidSetting`, also for plain http to another machine unless `allowInsecure`.
    init(_ text: String, setting: String, allowInsecure: Bool) throws(StoreConfigurationError) {
        let parts = try Self.parts(text, setting: setting)
        guard parts.query == nil else {
            throw .invalidSetting(name: setting, reason: "a server's URL has no user, password, ? or #")
        }
        try self.init(parts, setting: setting, plainHosts: [], allowInsecure: allowInsecure)
    }

    private init(
        _ parts: URLComponents, setting: String, plainHosts: [String], allowInsecure: Bool
    ) throws(StoreConfigurationError) {
        isSecure = parts.scheme?.lowercased() == "https"
        name = parts.encodedHost?.lowercased() ?? ""
        guard isSecure || allowInsecure || Self.isLoopback(name) || plainHosts.contains(name) else {
            throw .invalidSetting(
                name: setting,
                reason: "http would send everything unencrypted to \(name): write https, or allow it expressly")
        }
        let isUsualPort = parts.port == nil || parts.port == (isSecure ? 443 : 80)
        host = isUsualPort ? name : "\(name):\(parts.port ?? 0)"
        var path = parts.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        basePath = path
    }

    private init(_ other: S3Endpoint, name: String, basePath: String) {
        isSecure = other.isSecure
        self.name = name
        host = name + other.port
        self.basePath = basePath
    }

    /// The URL without a path.
    var origin: String { (isSecure ? "https://" : "http://") + host }

    /// Whether it is this machine.
    var isLoopback: Bool { Self.isLoopback(name) }

    /// Whether it is an address, below which there are no names.
    var isAddress: Bool {
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.hasPrefix("[") || numbers.count == 4 && numbers.allSatisfy { UInt8($0) != nil }
    }

    /// Empty, or the port behind its colon.
    private var port: Substring { host.dropFirst(name.count) }

    /// The same server under another name.
    func named(_ name: String) -> S3Endpoint { S3Endpoint(self, name: name, basePath: basePath) }

    /// Whether both are the same scheme and port, whatever the host.
    func speaks(like other: S3Endpoint) -> Bool { isSecure == other.isSecure && port == other.port }

    /// Splits a whole URL into the server and what is asked of it, percent-encoded, from the slash on.
    ///
    /// Throws `.invalidSetting`; plain http is for this machine and for `plainHosts` only, unless `allowInsecure`.
    static func split(
        _ text: String, setting: String, plainHosts: [String] = [], allowInsecure: Bool = false
    ) throws(StoreConfigurationError) -> (S3Endpoint, target: String) {
        var parts = try parts(text, setting: setting)
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        let target = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
        parts.percentEncodedPath = ""
        let endpoint = try S3Endpoint(
            parts, setting: setting, plainHosts: plainHosts, allowInsecure: allowInsecure)
        return (endpoint, target)
    }

    private static func parts(_ text: String, setting: String) throws(StoreConfigurationError) -> URLComponents {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.encodedHost, !host.isEmpty
        else {
            throw .invalidSetting(name: setting, reason: "it is no URL like https://s3.example.com")
        }
        guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
            throw .invalidSetting(name: setting, reason: "a server's URL has no user, password, ? or #")
        }
        return parts
    }

    private static func isLoopback(_ host: String) -> Bool {
        // libcurl resolves these names itself, whatever the name service says (RFC 6761).
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}
