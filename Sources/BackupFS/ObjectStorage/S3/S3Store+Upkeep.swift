// What nobody waits for: removals, many in one request, and the uploads in parts that were interrupted. Of those only the
// ones on record are touched: a listing also shows what other programs are uploading.

extension S3Store {
    /// What S3 takes in one request.
    private static let batch = 1000

    package func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        guard keys.count > 1 else { return await deleteEach(keys, deadline: deadline) }
        var failures: [String: ObjectStoreError] = [:]
        for start in stride(from: 0, to: keys.count, by: Self.batch) {
            let some = Array(keys[start..<min(keys.count, start + Self.batch)])
            let outcome = await Result { () async throws(ObjectStoreError) in
                try await self.deleteBatch(some, deadline: deadline)
            }
            switch outcome {
            case .success(let found): failures.merge(found) { old, _ in old }
            case .failure(let error) where start == 0: throw error
            // Something is known of the keys before.
            case .failure(let error): for key in keys[start...] { failures[key] = error }
            }
            if case .failure = outcome { break }
        }
        return failures
    }

    private func deleteBatch(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError] {
        guard !refusesBatches.isSet else { return await deleteEach(keys, deadline: deadline) }
        // The same rules for keys as everywhere.
        for key in keys { _ = try objectRequest(.delete, .upkeep, key) }
        let objects = keys.map { "<Object><Key>\(S3XML.escaped(root + $0))</Key></Object>" }.joined()
        let body = Array("<Delete><Quiet>true</Quiet>\(objects)</Delete>".utf8)
        var request = bucketRequest(.post, .upkeep, [("delete", "")])
        request.headers = [("content-type", "application/xml")]
        request.body = .bytes(body, BodyDigests(of: body))
        let answer = try await loop.run(request, deadline: deadline)
        let failure = S3Failure(answer)
        guard answer.status == 200, !failure.hasCode else {
            guard [405, 501].contains(answer.status) || [.notImplemented, .methodNotAllowed].contains(failure.code)
            else { throw failure.error(key: "", bucket: location) }
            refusesBatches.set()
            return await deleteEach(keys, deadline: deadline)
        }
        guard let result = S3DeleteResult(answer.body) else {
            throw .unreachable(reason: "the server sent no complete answer to a batch of removals")
        }
        var failures: [String: ObjectStoreError] = [:]
        for refusal in result.refusals where refusal.key.hasPrefix(root) {
            let key = String(refusal.key.dropFirst(root.count))
            let failure = S3Failure(code: refusal.code, message: refusal.message)
            let error = failure.error(key: key, bucket: location)
            if case .notFound = error { continue }
            failures[key] = error
        }
        return failures
    }

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        guard let recorder = uploads.recorder else { return 0 }
        var count = 0
        var failure: ObjectStoreError?
        for upload in try await recorder.recorded() where !uploads.isRunning(upload) {
            // One that cannot be aborted is no reason to keep the others.
            do throws(ObjectStoreError) {
                try await abort(upload, deadline: deadline)
                await recorder.ended(upload)
                count += 1
            } catch {
                failure = failure ?? error
            }
        }
        if count > 0 { logger.notice("interrupted uploads were aborted", metadata: ["count": "\(count)"]) }
        if let failure { throw failure }
        return count
    }
}
