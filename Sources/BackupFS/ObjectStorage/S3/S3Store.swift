// Backup storage in an S3 bucket: plain signed requests, one object a PUT. What servers do
// differently is met by not relying on it: the content's MD5 is sent and compared with the ETag, a missing bucket is
// looked for before it is written to, and absence is believed only from an S3 server.

import Logging

/// An object store in an S3 bucket.
package final class S3Store: ObjectStore {
    package let location: String
    private let configuration: S3Configuration
    private let loop: SigningLoop
    /// Reads files again to find out who changed the bytes.
    private let digesting = BlockingQueue(label: "backupfs.s3.digests", width: 2)

    /// Starts the thread for this server; asks it nothing yet.
    ///
    /// Throws `.localFile` with ENOMEM if libcurl cannot be used.
    package convenience init(
        _ configuration: S3Configuration, logger: Logger = Logger(label: "s3") { _ in SwiftLogNoOpLogHandler() }
    ) throws(ObjectStoreError) {
        try self.init(configuration, timeouts: TransferTimeouts(), logger: logger)
    }

    init(
        _ configuration: S3Configuration, timeouts: TransferTimeouts, clock: ServerClock = ServerClock(),
        logger: Logger = Logger(label: "s3") { _ in SwiftLogNoOpLogHandler() }
    ) throws(ObjectStoreError) {
        self.configuration = configuration
        location =
            configuration.prefix.isEmpty
            ? "s3://\(configuration.bucket)" : "s3://\(configuration.bucket)/\(configuration.prefix)"
        loop = try SigningLoop(configuration, timeouts: timeouts, clock: clock, logger: logger)
    }

    deinit { loop.stop() }

    package var discoveries: [StoreDiscovery] { loop.discoveries }

    /// While it is held, requests that were not sent yet end with `.unreachable`, all but checks.
    func hold(_ isHeld: Bool) { loop.hold(isHeld) }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        var request = listRequest(prefix: "", [("max-keys", "1")], lane: .read)
        request.isProbe = true
        let answer = try await loop.run(request, deadline: deadline)
        _ = try page(answer)
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        var request = try objectRequest(.put, .write, key)
        switch body {
        case .bytes(let bytes): request.body = .bytes(bytes, ContentDigests(of: bytes))
        case .file(let descriptor, let length, let digests):
            request.body = .file(descriptor: descriptor, length: length, digests)
        }
        request.headers = try headers(attributes)
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200, answer.body.isEmpty || !S3Failure(answer).hasCode else {
            let failure = S3Failure(answer)
            let error = failure.error(key: key, bucket: location)
            throw failure.meansDifferentBytes ? try await blame(request.body, error, deadline: deadline) : error
        }
        if let etag = answer.etag?.lowercased(), !answer.isETagOpaque, etag.isMD5, let sent = request.body.digests,
            etag != hexadecimal(sent.md5)
        {
            let error = ObjectStoreError.corrupted(key: key, reason: "the server stored other bytes than those sent")
            throw try await blame(request.body, error, deadline: deadline)
        }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        var request = try objectRequest(.get, .read, key)
        request.sink = .file(descriptor: descriptor, limit: limit)
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200 else { throw try await confirmed(answer, key: key, deadline: deadline) }
        guard answer.isChunked || answer.contentLength == answer.received else {
            throw .unreachable(reason: "the answer ended after \(answer.received) bytes, before its end")
        }
        try LocalFile(descriptor).truncate(to: answer.received)
        return ObjectSummary(size: answer.received, metadata: answer.metadata)
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        let answer = try await loop.run(try objectRequest(.head, .read, key), deadline: deadline)
        guard answer.status == 200 else {
            let error = try await confirmed(answer, key: key, deadline: deadline)
            if case .notFound = error { return nil }
            throw error
        }
        guard let size = answer.contentLength, size >= 0 else {
            throw .unreachable(reason: "the server did not say how long \(key) is")
        }
        return ObjectSummary(size: size, metadata: answer.metadata)
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        let answer = try await loop.run(try objectRequest(.delete, .upkeep, key), deadline: deadline)
        if answer.status == 204 || answer.status == 200 && !S3Failure(answer).hasCode { return }
        let error = try await confirmed(answer, key: key, deadline: deadline)
        if case .notFound = error { return }
        throw error
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        let root = configuration.prefix.isEmpty ? "" : configuration.prefix + "/"
        var objects: [ListedObject] = []
        var continuation: String?
        repeat {
            var query = [("max-keys", "\(1000 - objects.count)")]
            if let continuation {
                query.append(("continuation-token", continuation))
            } else if let key {
                query.append(("start-after", root + key))
            }
            let page = try page(
                try await loop.run(listRequest(prefix: prefix, query, lane: .upkeep), deadline: deadline))
            for object in page.objects {
                guard object.key.hasPrefix(root + prefix) else {
                    throw .rejected(code: "ForeignKey", message: "the server listed a key outside the prefix")
                }
                let name = String(object.key.dropFirst(root.count))
                if !name.isEmpty { objects.append(ListedObject(key: name, size: object.size)) }
            }
            guard page.continuation == nil || page.continuation != continuation else {
                throw .rejected(code: "EndlessListing", message: "the server gave the same page twice")
            }
            continuation = page.continuation
        } while continuation != nil && objects.count < 1000
        return objects
    }

    /// The error behind a bad answer about an object.
    ///
    /// A 404 without a code says neither that the bucket is there nor that an S3 server answered: a listing does.
    private func confirmed(
        _ answer: S3Answer, key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectStoreError {
        let failure = S3Failure(answer)
        let error = failure.error(key: key, bucket: location)
        if case .notFound = error, !failure.hasCode { try await check(deadline: deadline) }
        return error
    }

    private func page(_ answer: S3Answer) throws(ObjectStoreError) -> S3ListPage {
        guard answer.status == 200 else {
            throw S3Failure(answer).error(key: "", bucket: location)
        }
        guard let page = S3ListPage(answer.body) else {
            throw .unreachable(reason: "the server sent something that is no complete listing")
        }
        return page
    }

    /// Whose fault it is that the server has other bytes than the digests say: the network's, or the file has changed.
    private func blame(
        _ body: S3Request.Body, _ error: ObjectStoreError, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectStoreError {
        guard case .file(let descriptor, let length, let digests) = body, case .corrupted(let key, _) = error else {
            return error
        }
        let file = try OwnedDescriptor(duplicating: descriptor)
        let isSame = try await digesting.run(deadline: deadline) { _ throws(ObjectStoreError) in
            try ContentDigests(ofFile: file.number, length: length) == digests
        }
        return isSame ? error : .contentChanged(key: key)
    }

    private func objectRequest(
        _ method: S3Request.Method, _ lane: S3Request.Lane, _ key: String
    ) throws(ObjectStoreError) -> S3Request {
        let full = configuration.prefix.isEmpty ? key : "\(configuration.prefix)/\(key)"
        guard !key.isEmpty, full.utf8.count <= 1024, full.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw .rejected(code: "InvalidKey", message: "S3 cannot hold the key \(key)")
        }
        let path = "\(configuration.address.path)/\(percentEncoded(full, keeping: "/"))"
        return S3Request(method: method, lane: lane, key: key, path: path)
    }

    private func listRequest(prefix: String, _ more: [(String, String)], lane: S3Request.Lane) -> S3Request {
        let root = configuration.prefix.isEmpty ? "" : configuration.prefix + "/"
        let parameters = [("encoding-type", "url"), ("list-type", "2"), ("prefix", root + prefix)] + more
        let query = parameters.map { "\($0)=\(percentEncoded($1))" }.sorted().joined(separator: "&")
        return S3Request(
            method: .get, lane: lane, key: "", path: configuration.address.root,
            query: query, sink: .memory(limit: 8 << 20))
    }

    private func headers(_ attributes: ObjectAttributes) throws(ObjectStoreError) -> [(name: String, value: String)] {
        var headers = [(name: "content-type", value: attributes.contentType)]
        for (name, value) in attributes.metadata { headers.append(("x-amz-meta-\(name)", value)) }
        for header in headers {
            let isName = header.name.utf8.allSatisfy { byte in
                (97...122).contains(byte) || (48...57).contains(byte) || "-_.".utf8.contains(byte)
            }
            guard isName, header.value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
                throw .rejected(code: "InvalidMetadata", message: "a header cannot hold the metadata \(header.name)")
            }
        }
        return headers
    }
}

extension String {
    fileprivate var isMD5: Bool { utf8.count == 32 && allSatisfy(\.isHexDigit) }
}
