// The proof that an upload arrived, where its own answer does not give it.

import Foundation
import Linux

extension S3Store {
    /// Makes sure that an object is what was sent, by what the server enforces or by reading it back.
    ///
    /// Throws `.corrupted` if it is not.
    func prove(
        _ key: String, sha256: [UInt8], length: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        let before = enforcement.known
        if before == nil { await probe(deadline: deadline) }
        if let proof = enforcement.known, proof.isEnforced || before?.needsChecksum == true { return }
        var request = try objectRequest(.get, .read, key)
        request.headers = configuration.objects.accessHeaders
        request.sink = .digest
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200 else { throw try await confirmed(answer, key: key, deadline: deadline) }
        guard answer.isChunked || answer.contentLength == answer.received else {
            throw .unreachable(reason: "the answer ended after \(answer.received) bytes, before its end")
        }
        guard answer.received == length, answer.sha256 == sha256 else {
            throw .corrupted(key: key, reason: "the server gives back other bytes than those sent")
        }
    }

    /// Finds out what the server checks; leaves it unknown if an answer is missing.
    func probe(deadline: ContinuousClock.Instant) async {
        let key = ".backupfs/check/\(UUID().uuidString.lowercased())"
        let bytes = Array("BackupFS tries here what this server checks: \(key)\n".utf8)
        let right = BodyDigests(of: bytes)
        let other = BodyDigests(of: Array(bytes.reversed()))
        let trials = [
            Trial(digests: right, checksum: nil),
            Trial(digests: BodyDigests(sha256: right.sha256, md5: other.md5), checksum: nil),
            Trial(digests: BodyDigests(sha256: other.sha256, md5: right.md5), checksum: nil),
            Trial(digests: right, checksum: other.sha256),
        ]
        let answers = try? await inParallel(
            trials, width: trials.count,
            throwing: { trial async throws(ObjectStoreError) in
                try await self.answer(to: trial, key, bytes, deadline: deadline)
            })
        try? await delete(key, deadline: deadline)
        guard let answers, answers[0].status == 200, let refusals = Self.refusals(answers.dropFirst()) else { return }
        let proof = UploadProof(
            refusesWrongMD5: refusals[0], isETagMD5: answers[0].md5ETag == hexadecimal(right.md5),
            refusesWrongPayload: refusals[1], refusesWrongChecksum: refusals[2])
        if enforcement.learn(proof) {
            logger.info("what the server checks is known", metadata: ["proof": "\(proof)"])
        }
    }

    /// An upload that says about itself what may be wrong.
    private struct Trial: Sendable {
        let digests: BodyDigests
        /// The SHA-256 for x-amz-checksum-sha256; nil: no such header.
        let checksum: [UInt8]?
    }

    private func answer(
        to trial: Trial, _ key: String, _ bytes: [UInt8], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3Answer {
        // Without the storage class: some have a price for what is removed at once.
        var request = try objectRequest(.put, .write, key)
        request.headers =
            configuration.objects.creationHeaders.filter { $0.name != "x-amz-storage-class" }
            + configuration.objects.accessHeaders
        if let checksum = trial.checksum { request.headers.append(("x-amz-checksum-sha256", base64(checksum))) }
        request.body = .bytes(bytes, trial.digests)
        return try await loop.run(request, deadline: deadline)
    }

    /// Whether each was refused for what it says; nil if an answer says nothing about that.
    private static func refusals(_ answers: some Sequence<S3Answer>) -> [Bool]? {
        var refusals: [Bool] = []
        for answer in answers {
            switch answer.status {
            case 200: refusals.append(false)
            case 400: refusals.append(true)
            default: return nil
            }
        }
        return refusals
    }
}
