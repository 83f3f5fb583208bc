/// The proxies that the environment names, under the names that libcurl knows; they may hold passwords.
struct ProxySettings: Sendable {
    private let secure: String
    private let plain: String
    /// Hosts that are reached without one, as libcurl reads the variable.
    let exceptions: String

    /// Names are looked up in lower case first; HTTP_PROXY not at all, since a CGI's client can set it.
    init(environment: [String: String]) {
        func value(_ names: String...) -> String {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        }
        secure = value("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        plain = value("http_proxy", "all_proxy", "ALL_PROXY")
        exceptions = value("no_proxy", "NO_PROXY")
    }

    /// The proxy for a server; empty: none.
    ///
    /// What stays on this machine never leaves it through one.
    func proxy(for endpoint: S3Endpoint) -> String {
        if endpoint.isLoopback { return "" }
        return endpoint.isSecure ? secure : plain
    }
}

extension ProxySettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "ProxySettings(redacted)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
