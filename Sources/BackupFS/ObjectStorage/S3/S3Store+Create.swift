// The first object under a key. `If-None-Match: *` makes a PUT of it that no other overtakes; but servers that do not know
// the header take such a PUT for any other. So it is believed only where it was seen to refuse one.

import Foundation

extension S3Store {
    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        guard try await honoursConditions(deadline: deadline) else { return .notOffered }
        return try await putConditionally(key, bytes, attributes, deadline: deadline)
    }

    /// Whether the second of two conditional PUTs is refused; tried once.
    private func honoursConditions(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Bool {
        if let known = isConditional.withLock({ $0 }) { return known }
        let key = ".backupfs/check/\(UUID().uuidString.lowercased())"
        let bytes = Array("BackupFS tries here what this server checks: \(key)\n".utf8)
        var outcomes: [Creation] = []
        do throws(ObjectStoreError) {
            for _ in 1...2 {
                outcomes.append(try await putConditionally(key, bytes, ObjectAttributes(), deadline: deadline))
            }
        } catch {
            try? await delete(key, deadline: deadline)
            throw error
        }
        try? await delete(key, deadline: deadline)
        let isHonoured = outcomes == [.created, .taken]
        isConditional.withLock { $0 = isHonoured }
        return isHonoured
    }

    private func putConditionally(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        let digests = BodyDigests(of: bytes)
        var request = try objectRequest(.put, .write, key)
        request.body = .bytes(bytes, digests)
        request.headers =
            try headers(attributes) + configuration.objects.creationHeaders + configuration.objects.accessHeaders
            + [("if-none-match", "*")]
        let answer = try await loop.run(request, deadline: deadline)
        let failure = S3Failure(answer)
        switch answer.status {
        case 200 where !failure.hasCode: return .created
        case 412: return .taken
        // As servers answer that know the header and not how to honour it.
        case 400 where [.notImplemented, .invalidArgument, .invalidRequest].contains(failure.code), 501:
            return .notOffered
        default: throw failure.error(key: key, bucket: location)
        }
    }
}
