import Foundation

/// The root URL of an S3 server.
struct S3Endpoint: Sendable, Equatable {
    /// Whether TLS is used.
    let isSecure: Bool
    /// Host and, unless it is the scheme's own, port: what a Host header says.
    let host: String
    /// The path below which buckets are, percent-encoded; empty or with a slash at the start only.
    let basePath: String

    /// Reads `https://host[:port][/path]`.
    ///
    /// Throws `.invalidSetting`, also for plain http to another machine unless `allowInsecure`.
    init(_ text: String, setting: String, allowInsecure: Bool) throws(StoreConfigurationError) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.encodedHost?.lowercased(), !host.isEmpty
        else {
            throw .invalidSetting(name: setting, reason: "it is no URL like https://s3.example.com")
        }
        guard parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil else {
            throw .invalidSetting(name: setting, reason: "a server's URL has no user, password, ? or #")
        }
        isSecure = scheme == "https"
        guard isSecure || allowInsecure || Self.isLoopback(host) else {
            throw .invalidSetting(
                name: setting,
                reason: "http would send the files unencrypted to \(host): write https, or allow it expressly")
        }
        let isUsualPort = parts.port == nil || parts.port == (isSecure ? 443 : 80)
        self.host = isUsualPort ? host : "\(host):\(parts.port ?? 0)"
        var path = parts.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        basePath = path
    }

    /// The URL without a path.
    var origin: String { (isSecure ? "https://" : "http://") + host }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}
