// AWS Signature Version 4 in a header, with a signed payload:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

import COpenSSL
import Glibc
import Linux
import Synchronization

/// Signs requests for one service in one region.
final class SignatureV4: Sendable {
    /// A moment as signatures write it.
    struct Timestamp: Sendable {
        /// Like `20150830T123600Z`.
        let text: String

        init(_ text: String) { self.text = text }

        /// A moment in seconds since 1970.
        init(seconds: Int64) {
            var moment = time_t(seconds)
            var parts = tm()
            gmtime_r(&moment, &parts)
            func digits(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
            text =
                "\(parts.tm_year + 1900)\(digits(parts.tm_mon + 1))\(digits(parts.tm_mday))T"
                + "\(digits(parts.tm_hour))\(digits(parts.tm_min))\(digits(parts.tm_sec))Z"
        }

        var day: Substring { text.prefix(8) }
    }

    /// The SHA-256 of no bytes.
    static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    let credentials: S3Credentials
    let region: String
    private let service: String
    /// The signing key of the last day seen.
    private let key = Mutex<(day: Substring, key: [UInt8])>(("", []))

    init(credentials: S3Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// The value of the Authorization header.
    ///
    /// `path` and `query` are percent-encoded, the query sorted; `headers` have lower-case names, are sorted by them, and
    /// hold host and x-amz-date; `payload` is the body's SHA-256 in hexadecimal.
    func authorization(
        method: String, path: String, query: String, headers: [(name: String, value: String)], payload: String,
        at timestamp: Timestamp
    ) -> String {
        let names = headers.map(\.name).joined(separator: ";")
        var canonical = "\(method)\n\(path)\n\(query)\n"
        for header in headers {
            let words = header.value.split(separator: " ").joined(separator: " ")
            canonical += "\(header.name):\(words)\n"
        }
        canonical += "\n\(names)\n\(payload)"
        let scope = "\(timestamp.day)/\(region)/\(service)/aws4_request"
        let toSign = "AWS4-HMAC-SHA256\n\(timestamp.text)\n\(scope)\n\(hexadecimal(Self.sha256(canonical)))"
        let signature = hexadecimal(Self.hmac(signingKey(timestamp.day), toSign))
        return
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
    }

    private func signingKey(_ day: Substring) -> [UInt8] {
        key.withLock { known in
            if known.day == day { return known.key }
            var key = Array("AWS4\(credentials.secretKey)".utf8)
            for part in [String(day), region, service, "aws4_request"] { key = Self.hmac(key, part) }
            known = (day, key)
            return key
        }
    }

    private static func hmac(_ key: [UInt8], _ text: String) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        let bytes = Array(text.utf8)
        HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &code, nil)
        return code
    }

    private static func sha256(_ text: String) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let bytes = Array(text.utf8)
        EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }
}
