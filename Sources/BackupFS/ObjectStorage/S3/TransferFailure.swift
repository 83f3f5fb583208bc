// What libcurl's verdict on a request means, and what an operator can do about it.

import CCurl

extension ObjectStoreError {
    /// The error behind a request that libcurl has given up; `text` is libcurl's own.
    ///
    /// `isAnswered`: the server had begun to answer. `isProxied`: the environment names a proxy for the server.
    init(curl code: CURLcode, text: String, endpoint: S3Endpoint, isAnswered: Bool, isProxied: Bool = false) {
        let host = endpoint.host
        let proxy = isProxied ? "; or is the proxy wrong that the environment names (https_proxy, http_proxy)?" : ""
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST:
            self = .unreachable(
                reason: "there is no host \(host): correct the endpoint, or the name service of this machine")
        case CURLE_COULDNT_RESOLVE_PROXY:
            self = .unreachable(reason: "\(text): correct the proxy in the environment (https_proxy, http_proxy)")
        case CURLE_COULDNT_CONNECT:
            self = .unreachable(
                reason:
                    "nobody accepts connections at \(host): is the port right, and is the server running? \(text)\(proxy)"
            )
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            self = .rejected(.untrusted, message: "\(text): \(Self.advice(onCertificate: text))")
        case CURLE_SSL_CACERT_BADFILE:
            self = .rejected(.untrusted, message: "\(text): correct --ca-bundle or AWS_CA_BUNDLE")
        case CURLE_SSL_CONNECT_ERROR where text.contains("wrong version number") || text.contains("http request"):
            self = .rejected(
                .untrusted, message: "\(host) does not speak TLS: write http://, or the port that does")
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            self = .rejected(
                .noHTTP, message: "\(host) does not speak HTTP: if it is a port for TLS, write https://")
        case CURLE_GOT_NOTHING where !endpoint.isSecure, CURLE_RECV_ERROR where !endpoint.isSecure && !isAnswered:
            self = .unreachable(
                reason: "\(host) closed the connection without an answer: if it is a port for TLS, write https://")
        case CURLE_OPERATION_TIMEDOUT where text.contains("SSL"):
            self = .unreachable(reason: "\(host) does not answer in TLS: if it is a port for plain http, write http://")
        case CURLE_OPERATION_TIMEDOUT where !isAnswered:
            self = .unreachable(
                reason: "no connection to \(host) in time: is the port right, is a firewall between? \(text)\(proxy)")
        default: self = .unreachable(reason: text)
        }
    }

    private static func advice(onCertificate text: String) -> String {
        if text.contains("subject name") || text.contains("does not match") {
            return "write the host name that the certificate has"
        }
        if text.contains("expired") || text.contains("not yet valid") {
            return "renew the certificate, or set the clock of this machine"
        }
        return "if the server is yours, give its CA's certificate with --ca-bundle"
    }
}
