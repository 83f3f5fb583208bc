// A whole object in one PUT. Which proof there is that it arrived depends on the server: an ETag that is the MD5 of the
// bytes proves it at once; else a checksum that was sent must be one that this server is known to enforce; else the
// object is read back.

import Glibc
import Linux

extension S3Store {
    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await put(key, body, attributes, as: .triedOnce, deadline: deadline)
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, as call: StoreCall,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        switch body {
        case .bytes(let bytes):
            try await putWhole(key, .bytes(bytes, BodyDigests(of: bytes)), attributes, after: nil, deadline: deadline)
        case .file(let descriptor, let length, let given, let barrier):
            guard length <= PartLayout.longestObject else {
                throw .rejected(.entityTooLarge, message: "S3 has no objects of more than 5 TiB")
            }
            let file = UploadedFile(
                descriptor: descriptor, length: length,
                digests: try await digests(of: descriptor, length: length, given, key: key, deadline: deadline),
                barrier: barrier)
            if let layout = configuration.objects.cut.layout(length: length) {
                try await putParts(key, file, layout, attributes, as: call, deadline: deadline)
            } else if let whole = file.digests.whole {
                let body = S3Request.Body.file(descriptor: descriptor, offset: 0, length: length, whole)
                try await putWhole(key, body, attributes, after: barrier, deadline: deadline)
            }
        }
    }

    private func putWhole(
        _ key: String, _ body: S3Request.Body, _ attributes: ObjectAttributes, after barrier: WriteAheadBarrier?,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        var request = try objectRequest(.put, .write, key)
        request.body = body
        if body.length > 0 {
            request.barrier = barrier
        } else {
            // No last byte can be held back.
            try await barrier?.pass()
        }
        request.headers =
            try headers(attributes) + configuration.objects.creationHeaders + configuration.objects.accessHeaders
        let isProven = try await sendBody(request, deadline: deadline)
        if !isProven, let digests = body.digests {
            try await prove(key, sha256: digests.sha256, length: body.length, deadline: deadline)
        }
    }

    /// Sends a request with a body of an object or of a part of one; returns whether the ETag proves that it arrived.
    ///
    /// Throws `.contentChanged` or `.corrupted` if the server found or stored other bytes.
    func sendBody(_ request: S3Request, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Bool {
        try await answerToBody(request, deadline: deadline).isProven
    }

    /// The same, with the answer.
    func answerToBody(
        _ request: S3Request, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (answer: S3Answer, isProven: Bool) {
        var request = request
        if enforcement.known?.needsChecksum == true, let digests = request.body.digests {
            request.headers.append(("x-amz-checksum-sha256", base64(digests.sha256)))
        }
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200, answer.body.isEmpty || !S3Failure(answer).hasCode else {
            let failure = S3Failure(answer)
            let error = failure.error(key: request.key, bucket: location)
            throw failure.meansDifferentBytes ? try await blame(request.body, error, deadline: deadline) : error
        }
        guard let etag = answer.md5ETag, let sent = request.body.digests else { return (answer, false) }
        guard etag == hexadecimal(sent.md5) else {
            let error = ObjectStoreError.corrupted(
                key: request.key, reason: "the server stored other bytes than those sent")
            throw try await blame(request.body, error, deadline: deadline)
        }
        return (answer, true)
    }

    /// The digests that sending the file needs; made here if the caller has others.
    private func digests(
        of descriptor: Int32, length: Int64, _ given: ContentDigests, key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ContentDigests {
        let plan = digestPlan(length: length)
        switch (plan, given.transport) {
        case (.whole, .whole), (.content, _): return given
        case (.parts(let wanted), .parts(_, let size)) where wanted == size: return given
        case (.whole, _), (.parts, _): break
        }
        let file = try LocalFile(descriptor).duplicate()
        let made = try await digesting.run(deadline: deadline) { _ throws(ObjectStoreError) in
            do throws(ObjectStoreError) {
                return try ContentDigests(ofFile: file.number, length: length, plan)
            } catch .localFile(EIO) {
                throw .contentChanged(key: key)
            }
        }
        guard made.isSameContent(as: given) else { throw .contentChanged(key: key) }
        return made
    }

    /// Whose fault it is that the server has other bytes than the digests say: the network's, or the file has changed.
    private func blame(
        _ body: S3Request.Body, _ error: ObjectStoreError, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectStoreError {
        guard case .file(let descriptor, let offset, let length, let digests) = body,
            case .corrupted(let key, _) = error
        else { return error }
        let file = try LocalFile(descriptor).duplicate()
        let isSame = try await digesting.run(deadline: deadline) { _ throws(ObjectStoreError) in
            try BodyDigests(ofFile: file.number, offset: offset, length: length) == digests
        }
        return isSame ? error : .contentChanged(key: key)
    }

    func headers(_ attributes: ObjectAttributes) throws(ObjectStoreError) -> [(name: String, value: String)] {
        var headers = [(name: "content-type", value: attributes.contentType)]
        for (name, value) in attributes.metadata { headers.append(("x-amz-meta-\(name)", value)) }
        for header in headers {
            let isName = header.name.utf8.allSatisfy { byte in
                (97...122).contains(byte) || (48...57).contains(byte) || "-_.".utf8.contains(byte)
            }
            guard isName, header.value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
                throw .rejected(.invalidMetadata, message: "a header cannot hold the metadata \(header.name)")
            }
        }
        return headers
    }
}

/// A local file on its way up.
struct UploadedFile: Sendable {
    /// The caller's, open until the call ends.
    let descriptor: Int32
    /// In bytes.
    let length: Int64
    /// Those that the way of sending it needs.
    let digests: ContentDigests
    /// What must be durable before the object appears.
    let barrier: WriteAheadBarrier?
}

extension S3Answer {
    /// The ETag in lower case, if it is the MD5 of the bytes.
    var md5ETag: String? {
        guard let etag = etag?.lowercased(), !isETagOpaque, etag.utf8.count == 32, etag.allSatisfy(\.isHexDigit) else {
            return nil
        }
        return etag
    }
}
