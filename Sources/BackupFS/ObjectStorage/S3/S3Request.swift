import Foundation

/// One HTTP request to an S3 server, not yet signed: it is signed when its turn comes.
struct S3Request: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case put = "PUT"
        case post = "POST"
        case head = "HEAD"
        case delete = "DELETE"
    }

    /// Which share of the transfers a request takes, so that no kind starves another.
    enum Lane: Sendable, CaseIterable {
        /// A recovery waits for it.
        case read
        /// A close waits for it.
        case write
        /// A part of a large object that a recovery waits for.
        case readPart
        /// A part of a large object that a close waits for.
        case writePart
        /// Nobody waits for it.
        case upkeep

        /// Whether it carries a part of a large object.
        var isPart: Bool { self == .readPart || self == .writePart }
    }

    enum Body: Sendable {
        case none
        case bytes([UInt8], BodyDigests)
        /// `length` bytes of an open file from `offset` on.
        case file(descriptor: Int32, offset: Int64, length: Int64, BodyDigests)

        var digests: BodyDigests? {
            switch self {
            case .none: nil
            case .bytes(_, let digests), .file(_, _, _, let digests): digests
            }
        }

        /// In bytes.
        var length: Int64 {
            switch self {
            case .none: 0
            case .bytes(let bytes, _): Int64(bytes.count)
            case .file(_, _, let length, _): length
            }
        }
    }

    /// Where the body of a good answer goes; that of any other answer is kept in memory.
    enum Sink: Sendable {
        /// At most `limit` bytes in memory.
        case memory(limit: Int)
        /// Into a file from `offset` on: that part of an object of at most `limit` bytes, or from 0 on all of it.
        case file(descriptor: Int32, offset: Int64, limit: Int64)
        /// Nowhere; the answer has its SHA-256.
        case digest
    }

    var method: Method
    var lane: Lane
    /// The key that errors name; empty for a listing.
    var key: String
    /// Percent-encoded, from the slash on.
    var path: String
    /// Percent-encoded names and values, sorted.
    var query = ""
    /// Lower-case names; without host, date, checksums and authorization.
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// What must be durable before the body's last byte is sent.
    var barrier: WriteAheadBarrier?
    var sink = Sink.memory(limit: 64 * 1024)
    /// Whether it is sent although the server is known to be down: it asks whether that is still so.
    var isProbe = false

    /// The headers to send, signed for `timestamp`; without a signature if there is no signer.
    func headers(
        _ signer: SignatureV4?, host: String, at timestamp: SignatureV4.Timestamp
    ) -> [(name: String, value: String)] {
        var headers = headers
        headers.append(("host", host))
        guard let signer else { return headers }
        let payload = body.digests?.sha256Hex ?? SignatureV4.emptyPayload
        headers.append(("x-amz-content-sha256", payload))
        headers.append(("x-amz-date", timestamp.text))
        if let token = signer.credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        if let digests = body.digests { headers.append(("content-md5", base64(digests.md5))) }
        headers.sort { $0.name < $1.name }
        let authorization = signer.authorization(
            method: method.rawValue, path: path, query: query, headers: headers, payload: payload, at: timestamp)
        headers.append(("authorization", authorization))
        return headers
    }
}

/// What the server answered.
struct S3Answer: Sendable {
    /// The HTTP status.
    var status = 0
    /// Without quotes.
    var etag: String?
    /// In bytes, as the header said.
    var contentLength: Int64?
    /// Which bytes of how many the body holds, if it does not hold all.
    var contentRange: ContentRange?
    /// Whether the body ends with a mark of its own.
    var isChunked = false
    /// User metadata, lower-case names without `x-amz-meta-`.
    var metadata: [String: String] = [:]
    /// The bucket's region, on some redirects.
    var bucketRegion: String?
    /// Where a redirect points to.
    var location: String?
    /// The server's clock, in seconds since 1970.
    var date: Int64?
    /// When the object was stored, by that clock.
    var modified: Int64?
    /// How long ago that was.
    var age: Duration? {
        guard let date, let modified else { return nil }
        return .seconds(max(0, date - modified))
    }
    /// How long the server asks to be left alone.
    var retryAfter: Duration?
    /// Whether the server says that the ETag is not the content's MD5 because it encrypts with keys of its own.
    var isETagOpaque = false
    /// What the request was signed with.
    var signing: Signing?
    /// The body, unless it went into a file.
    var body: [UInt8] = []
    /// How many bytes of the body came.
    var received: Int64 = 0
    /// SHA-256 of the body, if that was asked for or is a whole object; empty otherwise.
    var sha256: [UInt8] = []

    /// Takes in one line of the head of the answer, without its line end; a status line starts anew.
    mutating func read(headerLine line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            self = S3Answer()
            status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return
        }
        guard let colon = text.firstIndex(of: ":") else { return }
        let name = text[..<colon].lowercased()
        let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        switch name {
        case "etag": etag = value.filter { $0 != "\"" }
        case "content-length": contentLength = Int64(value)
        case "content-range": contentRange = ContentRange(value)
        case "transfer-encoding": isChunked = value.lowercased().hasSuffix("chunked")
        case "retry-after": retryAfter = RetryAfter.parse(String(value))
        case "x-amz-bucket-region": bucketRegion = String(value)
        case "location": location = String(value)
        case "date": date = ServerClock.seconds(String(value))
        case "last-modified": modified = ServerClock.seconds(String(value))
        case "x-amz-server-side-encryption": isETagOpaque = value.hasPrefix("aws:kms")
        case "x-amz-server-side-encryption-customer-algorithm": isETagOpaque = true
        case _ where name.hasPrefix("x-amz-meta-"):
            metadata[String(name.dropFirst("x-amz-meta-".count))] = String(value)
        default: break
        }
    }
}

/// Base64 with padding, without line breaks (RFC 4648).
func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
