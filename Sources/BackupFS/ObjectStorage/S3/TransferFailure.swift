// What libcurl's verdict on a request means, and what an operator can do about it. Its numbers decide. Only that a server
// answers TLS with something else has none of its own: OpenSSL's text says so.

import CCurl

extension ObjectStoreError {
    /// The error behind a request that libcurl has given up; `text` is libcurl's own.
    ///
    /// `isAnswered`: the server had begun to answer. `isProxied`: the environment names a proxy for the server.
    init(
        curl code: CURLcode, text: String, verdict: CertificateVerdict, endpoint: S3Endpoint, isAnswered: Bool,
        isProxied: Bool = false
    ) {
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
            self = .rejected(.untrusted, message: "\(text): \(verdict.advice)")
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
        case CURLE_OPERATION_TIMEDOUT where verdict != .good:
            self = .unreachable(reason: "\(host) does not answer in TLS: if it is a port for plain http, write http://")
        case CURLE_OPERATION_TIMEDOUT where !isAnswered:
            self = .unreachable(
                reason: "no connection to \(host) in time: is the port right, is a firewall between? \(text)\(proxy)")
        default: self = .unreachable(reason: text)
        }
    }
}

/// What is known of a server's certificate, as libcurl and OpenSSL number it (CURLINFO_SSL_VERIFYRESULT).
enum CertificateVerdict: Equatable {
    /// It is good, or TLS was not begun.
    case good
    /// TLS was begun, and nothing wrong with the certificate's signatures and times was found so far.
    case open
    /// Its time has not begun, or is over.
    case untimely
    /// Nobody who is trusted has signed it.
    case untrusted

    /// `number` is one of OpenSSL's X509_V_ERR_ numbers, which never change.
    init(_ number: Int) {
        switch number {
        case 0: self = .good
        // Unspecified: libcurl puts it there at the beginning of TLS. Host name, mail and IP address: another one.
        case 1, 62...64: self = .open
        // Of the certificate, and of a list of revoked ones: not yet valid, expired.
        case 9...12: self = .untimely
        default: self = .untrusted
        }
    }

    /// What an operator can do about a certificate that was refused.
    var advice: String {
        switch self {
        // Whose it is, libcurl compares itself: a refusal without a number is about the host.
        case .good, .open: "write the host name that the certificate has"
        case .untimely: "renew the certificate, or set the clock of this machine"
        case .untrusted: "if the server is yours, give its CA's certificate with --ca-bundle"
        }
    }
}
