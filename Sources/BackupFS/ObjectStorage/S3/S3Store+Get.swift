// Reading an object. One that may be large is asked for by its first part: the answer says how long it is and which ETag it
// has. The other parts are fetched in parallel, each only if the object still has that ETag, so that parts of two contents
// never mix. What comes is digested as it comes: a whole object byte by byte, one in parts from its beginning as far as it
// has arrived. Whoever asked for it compares that with the checksum in its row.

extension S3Store {
    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await get(key, into: descriptor, limit: limit, as: .triedOnce, deadline: deadline)
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        // Zeros are not written: nothing of an earlier attempt may be where they belong.
        try LocalFile(descriptor).truncate(to: 0)
        let cut = configuration.objects.cut
        guard limit >= cut.threshold else {
            return try await getWhole(key, into: descriptor, limit: limit, deadline: deadline)
        }
        let target = RangeTarget(call: call, key: key, descriptor: descriptor, limit: limit)
        let patience = ContinuousClock.now.duration(to: deadline)
        let first = try await fetch(target, offset: 0, length: cut.preferred, ifMatch: nil, deadline: deadline)
        switch first.status {
        case 200: return try finish(first, into: descriptor)
        // An empty object has no first byte.
        case 416: return try await getWhole(key, into: descriptor, limit: limit, deadline: deadline)
        case 206: break
        default: throw try await confirmed(first, key: key, deadline: deadline)
        }
        guard let range = first.contentRange, first.received == range.count else {
            throw .unreachable(reason: "the answer ended after \(first.received) bytes, before its end")
        }
        let rest = stride(from: range.count, to: range.total, by: Int(cut.preferred)).map { $0 }
        guard rest.isEmpty || first.etag != nil else {
            return try await getWhole(key, into: descriptor, limit: limit, deadline: deadline)
        }
        // What is read of it before its end has arrived has its length.
        try LocalFile(descriptor).truncate(to: range.total)
        let digest = ArrivalDigest(try LocalFile(descriptor).duplicate(), length: range.total, threads: arrivals)
        defer { digest.giveUp() }
        digest.arrived(0..<range.count)
        _ = try await inParallel(
            rest, width: configuration.transfers,
            throwing: { offset async throws(ObjectStoreError) in
                let length = min(cut.preferred, range.total - offset)
                let deadline = ContinuousClock.now + patience
                let part = try await self.fetch(
                    target, offset: offset, length: length, ifMatch: first.etag, deadline: deadline)
                try await self.check(part, key: key, length: length, total: range.total, deadline: deadline)
                digest.arrived(offset..<offset + length)
            })
        return ObjectSummary(
            size: range.total, metadata: first.metadata, sha256: try await digest.value(patience: patience))
    }

    private func getWhole(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        var request = try objectRequest(.get, .read, key)
        request.headers = configuration.objects.accessHeaders
        request.sink = .file(descriptor: descriptor, offset: 0, limit: limit)
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200 else { throw try await confirmed(answer, key: key, deadline: deadline) }
        return try finish(answer, into: descriptor)
    }

    /// Takes an answer with the whole object.
    private func finish(_ answer: S3Answer, into descriptor: Int32) throws(ObjectStoreError) -> ObjectSummary {
        guard answer.isChunked || answer.contentLength == answer.received else {
            throw .unreachable(reason: "the answer ended after \(answer.received) bytes, before its end")
        }
        try LocalFile(descriptor).truncate(to: answer.received)
        return ObjectSummary(size: answer.received, metadata: answer.metadata, sha256: answer.sha256)
    }

    /// Where the parts of one object go.
    private struct RangeTarget: Sendable {
        /// The call that they are fetched for.
        let call: StoreCall
        let key: String
        let descriptor: Int32
        let limit: Int64
    }

    private func fetch(
        _ target: RangeTarget, offset: Int64, length: Int64, ifMatch etag: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Answer {
        var request = try objectRequest(.get, .readPart, target.key)
        request.headers = configuration.objects.accessHeaders + [("range", "bytes=\(offset)-\(offset + length - 1)")]
        if let etag { request.headers.append(("if-match", "\"\(etag)\"")) }
        request.sink = .file(descriptor: target.descriptor, offset: offset, limit: target.limit)
        let ready = request
        return try await target.call.part("get", target.key, deadline: deadline) {
            () async throws(ObjectStoreError) in
            let answer = try await self.loop.run(ready, deadline: deadline)
            // What a later attempt may find better is thrown here, where it is tried again.
            let error = S3Failure(answer).error(key: target.key, bucket: self.location)
            if ![200, 206].contains(answer.status), error.isTransient { throw error }
            if answer.status == 206, answer.received != answer.contentRange?.count {
                throw .unreachable(reason: "the answer ended after \(answer.received) bytes, before its end")
            }
            return answer
        }
    }

    private func check(
        _ part: S3Answer, key: String, length: Int64, total: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        if part.status == 412 { throw .corrupted(key: key, reason: "the object changed while it was read") }
        guard part.status == 206 else { throw try await confirmed(part, key: key, deadline: deadline) }
        guard part.contentRange?.total == total, part.received == length else {
            throw .corrupted(key: key, reason: "the server sent another range than the one asked for")
        }
    }
}
