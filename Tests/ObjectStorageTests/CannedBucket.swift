// An S3 bucket in memory behind real HTTP. It checks what it is told to check, and tests stand between it and its client.

import Foundation
import Linux
import Synchronization

@testable import ObjectStorage

/// Answers requests as an S3 server with one bucket, `photos`.
final class CannedBucket: Sendable {
    /// What the server does about bodies that are not what their headers say.
    struct Checks: Sendable {
        var md5 = true
        var isETagMD5 = true
        var payload = false
        var checksum = false
    }

    struct Object: Sendable {
        var bytes: [UInt8]
        var etag: String
        var headers: [String: String]
    }

    struct Upload: Sendable {
        let key: String
        let headers: [String: String]
        var parts: [Int: [UInt8]] = [:]
    }

    private struct State {
        var objects: [String: Object] = [:]
        var uploads: [String: Upload] = [:]
        var nextID = 0
    }

    private let checks: Checks
    private let state = Mutex(State())

    init(_ checks: Checks = Checks()) {
        self.checks = checks
    }

    /// Whole keys.
    subscript(key: String) -> Object? {
        get { state.withLock { $0.objects[key] } }
        set { state.withLock { $0.objects[key] = newValue } }
    }

    var keys: [String] { state.withLock { $0.objects.keys.sorted() } }
    /// The whole keys of uploads that are neither finished nor aborted.
    var uploads: [String] { state.withLock { $0.uploads.values.map(\.key).sorted() } }

    /// Begins an upload as if by a process that is gone.
    @discardableResult
    func leaveUpload(_ key: String) -> String { begin(key, [:]) }

    /// Waits until no upload is left: aborts come after the failure that caused them.
    func untilNoUploads() async throws {
        while !uploads.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    }

    func answer(_ request: CannedServer.Request) -> CannedServer.Answer {
        guard let parts = URLComponents(string: request.target) else { return Self.error(400, "InvalidURI") }
        let query = Dictionary(
            (parts.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
        let path = parts.path.dropFirst("/photos".count).drop { $0 == "/" }
        let key = String(path)
        switch (request.method, key.isEmpty) {
        case ("GET", true): return .reply(200, body: CannedS3.listing)
        case ("POST", true): return deleteMany(request)
        case ("PUT", _): return put(request, key, query)
        case ("POST", _): return post(request, key, query)
        case ("DELETE", _):
            guard let id = query["uploadId"] else {
                self[key] = nil
                return .reply(204)
            }
            let upload = state.withLock { $0.uploads.removeValue(forKey: id) }
            return upload == nil ? Self.error(404, "NoSuchUpload") : .reply(204)
        default: return read(request, key)
        }
    }

    static func error(_ status: Int, _ code: String) -> CannedServer.Answer {
        .reply(status, body: Array("<Error><Code>\(code)</Code></Error>".utf8))
    }

    // MARK: Writing

    private func refusal(_ request: CannedServer.Request) -> CannedServer.Answer? {
        let digests = BodyDigests(of: request.body)
        let headers = request.headers
        if checks.md5, let md5 = headers["content-md5"], md5 != base64(digests.md5) {
            return Self.error(400, "BadDigest")
        }
        if checks.payload, headers["x-amz-content-sha256"] != digests.sha256Hex {
            return Self.error(400, "XAmzContentSHA256Mismatch")
        }
        if checks.checksum, let sum = headers["x-amz-checksum-sha256"], sum != base64(digests.sha256) {
            return Self.error(400, "BadDigest")
        }
        return nil
    }

    private func etag(_ bytes: [UInt8]) -> String {
        checks.isETagMD5 ? hexadecimal(BodyDigests(of: bytes).md5) : "opaque-\(bytes.count)"
    }

    private func put(
        _ request: CannedServer.Request, _ key: String, _ query: [String: String]
    ) -> CannedServer.Answer {
        if let refusal = refusal(request) { return refusal }
        let etag = etag(request.body)
        guard let id = query["uploadId"], let number = query["partNumber"].flatMap({ Int($0) }) else {
            self[key] = Object(bytes: request.body, etag: etag, headers: Self.kept(request.headers))
            return .reply(200, headers: ["ETag": "\"\(etag)\""])
        }
        let isKnown = state.withLock { state in
            guard state.uploads[id]?.key == key else { return false }
            state.uploads[id]?.parts[number] = request.body
            return true
        }
        return isKnown ? .reply(200, headers: ["ETag": "\"\(etag)\""]) : Self.error(404, "NoSuchUpload")
    }

    private func begin(_ key: String, _ headers: [String: String]) -> String {
        state.withLock { state in
            state.nextID += 1
            state.uploads["id-\(state.nextID)/+"] = Upload(key: key, headers: headers)
            return "id-\(state.nextID)/+"
        }
    }

    private func post(
        _ request: CannedServer.Request, _ key: String, _ query: [String: String]
    ) -> CannedServer.Answer {
        guard let id = query["uploadId"] else {
            let id = begin(key, Self.kept(request.headers))
            return .reply(
                200, body: Array(Self.xml("InitiateMultipartUploadResult", "<UploadId>\(id)</UploadId>").utf8))
        }
        guard let upload = state.withLock({ $0.uploads.removeValue(forKey: id) }) else {
            return Self.error(404, "NoSuchUpload")
        }
        let parts = upload.parts.sorted { $0.key < $1.key }.map(\.value)
        let sums = parts.flatMap { BodyDigests(of: $0).md5 }
        let etag = checks.isETagMD5 ? "\(hexadecimal(BodyDigests(of: sums).md5))-\(parts.count)" : "opaque"
        self[key] = Object(bytes: parts.flatMap(\.self), etag: etag, headers: upload.headers)
        // As Ceph does it.
        return .reply(200, body: Array(Self.xml("CompleteMultipartUploadResult", "<ETag></ETag>").utf8))
    }

    private static func kept(_ headers: [String: String]) -> [String: String] {
        headers.filter { $0.key.hasPrefix("x-amz-meta-") || $0.key == "content-type" }
    }

    private static func xml(_ root: String, _ content: String) -> String {
        "<?xml version=\"1.0\"?><\(root) xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(content)</\(root)>"
    }

    // MARK: Reading

    private func read(_ request: CannedServer.Request, _ key: String) -> CannedServer.Answer {
        guard let object = self[key] else { return Self.error(404, "NoSuchKey") }
        var headers = object.headers
        headers["ETag"] = "\"\(object.etag)\""
        if let wanted = request.headers["if-match"], wanted != headers["ETag"] {
            return Self.error(412, "PreconditionFailed")
        }
        let count = object.bytes.count
        guard let range = request.headers["range"] else {
            headers["Content-Length"] = "\(count)"
            return .reply(200, headers: headers, body: object.bytes)
        }
        let numbers = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] < count else { return Self.error(416, "InvalidRange") }
        let last = min(numbers[1], count - 1)
        headers["Content-Range"] = "bytes \(numbers[0])-\(last)/\(count)"
        return .reply(206, headers: headers, body: Array(object.bytes[numbers[0]...last]))
    }

    private func deleteMany(_ request: CannedServer.Request) -> CannedServer.Answer {
        if let refusal = refusal(request) { return refusal }
        _ = S3XML.read(request.body) { path, text in
            if path == ["Delete", "Object", "Key"] { self[text] = nil }
        }
        return .reply(200, body: Array(Self.xml("DeleteResult", "").utf8))
    }
}

extension CannedBucket {
    /// Goes between the client and the bucket: does with a request what it wants, and may pass it on.
    typealias Way =
        @Sendable (CannedServer.Request, (CannedServer.Request) -> CannedServer.Answer) -> CannedServer.Answer

    /// Runs a test with a store whose server is this bucket and whose parts are of 5 MiB.
    func with(
        options: StoreOptions = StoreOptions(partSize: 5 << 20), proof: UploadProof? = nil,
        _ way: @escaping Way = { request, bucket in bucket(request) },
        _ test: @Sendable (S3Store, CannedServer) async throws -> Void
    ) async throws {
        let server = try CannedServer { request in way(request, self.answer) }
        defer { server.stop() }
        try await test(try CannedS3.store(server.endpoint, options: options, proof: proof), server)
    }
}

extension CannedServer.Request {
    /// The number of the part that it uploads.
    var partNumber: Int? {
        guard method == "PUT" else { return nil }
        return URLComponents(string: target)?.queryItems?.first { $0.name == "partNumber" }?.value.flatMap { Int($0) }
    }

    var isCreation: Bool { method == "POST" && target.hasSuffix("?uploads=") }
    var isCompletion: Bool { method == "POST" && target.contains("?uploadId=") }
    var isAbort: Bool { method == "DELETE" && target.contains("?uploadId=") }

    /// The same with another byte in the middle of its body.
    var damaged: Self {
        var request = self
        if !body.isEmpty { request.body[body.count / 2] ^= 1 }
        return request
    }
}
