// An upload in parts on its way: each part is proven and tried again by itself, and may come while the file is still being
// written. What each one is, and what the server called it, is kept until the server is told to put them together.

import Linux
import Synchronization

/// One upload in parts to an S3 server.
final class S3PartStream: PartStream {
    /// A part that the server has.
    private struct SentPart: Sendable {
        /// Without quotes.
        let etag: String
        let isProven: Bool
        let digests: BodyDigests
    }

    private let store: S3Store
    private let upload: MultipartUpload
    /// The call that it is made for.
    private let call: StoreCall
    /// Those that have arrived, by their numbers; held for no call.
    private let sent = Mutex<[Int: SentPart]>([:])

    init(store: S3Store, upload: MultipartUpload, call: StoreCall) {
        self.store = store
        self.upload = upload
        self.call = call
    }

    private var key: String { upload.key }

    var width: Int { store.configuration.transfers }

    func send(
        _ number: Int, _ part: StreamedPart, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        sent.withLock { _ = $0.removeValue(forKey: number) }
        var request = try store.objectRequest(
            .put, .writePart, key, [("partNumber", "\(number)"), ("uploadId", upload.id)])
        request.headers = store.configuration.objects.accessHeaders
        request.body = .file(
            descriptor: part.descriptor, offset: part.offset, length: part.length, part.digests)
        let ready = request
        let arrived = try await call.part("put", key, deadline: deadline) {
            () async throws(ObjectStoreError) in
            let (answer, isProven) = try await self.store.answerToBody(ready, deadline: deadline)
            guard let etag = answer.etag, !etag.isEmpty else {
                throw .unreachable(reason: "the server took a part and gave it no ETag")
            }
            return SentPart(etag: etag, isProven: isProven, digests: part.digests)
        }
        sent.withLock { $0[number] = arrived }
    }

    func complete(
        _ content: StreamedContent, after barrier: WriteAheadBarrier?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        let known = sent.withLock { $0 }
        let parts = (1...max(1, content.count)).compactMap { known[$0] }
        // Parts that are not of this content would be put together with it on some servers.
        guard parts.count == content.count, parts.count == known.count else { throw .contentChanged(key: key) }
        try await barrier?.pass()
        try await putTogether(parts, length: content.length, deadline: deadline)
        await store.uploads.end(upload)
        if !parts.allSatisfy(\.isProven) {
            try await store.prove(key, sha256: content.sha256, length: content.length, deadline: deadline)
        }
    }

    func abandon() { store.abandon(upload) }

    private func putTogether(
        _ parts: [SentPart], length: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        let withChecksums = store.enforcement.known?.needsChecksum == true
        let list = parts.enumerated().map { index, part in
            let sum = withChecksums ? "<ChecksumSHA256>\(base64(part.digests.sha256))</ChecksumSHA256>" : ""
            return
                "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\"\(S3XML.escaped(part.etag))\"</ETag>\(sum)</Part>"
        }
        let body = Array("<CompleteMultipartUpload>\(list.joined())</CompleteMultipartUpload>".utf8)
        var request = try store.objectRequest(.post, .write, key, [("uploadId", upload.id)])
        request.headers = [("content-type", "application/xml")]
        request.body = .bytes(body, BodyDigests(of: body))
        let ready = request
        try await call.part("put", key, deadline: deadline) { () async throws(ObjectStoreError) in
            let answer = try await self.store.loop.run(ready, deadline: deadline)
            let failure = S3Failure(answer)
            if answer.status == 200, S3XML.isDocument("CompleteMultipartUploadResult", answer.body) { return }
            // An earlier attempt was applied and its answer was lost, or a proxy spoke: the object says what is so.
            if failure.code == .noSuchUpload, try await self.isStored(parts, length: length, deadline: deadline) {
                return
            }
            guard answer.status != 200 || failure.hasCode else {
                throw .unreachable(reason: "the server did not say whether it put the parts together")
            }
            throw failure.error(key: self.key, bucket: self.store.location)
        }
        try await call.part("head", key, deadline: deadline) { () async throws(ObjectStoreError) in
            guard try await self.isStored(parts, length: length, deadline: deadline) else {
                try? await self.store.delete(self.key, deadline: deadline)
                throw .corrupted(key: self.key, reason: "the server put other parts together than those sent")
            }
        }
    }

    /// Whether the object is there with the upload's length and, where it has the usual form, its ETag.
    private func isStored(
        _ parts: [SentPart], length: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Bool {
        guard let answer = try await store.headAnswer(key, deadline: deadline), answer.contentLength == length else {
            return false
        }
        let etag = answer.etag?.lowercased() ?? ""
        let fields = etag.split(separator: "-", omittingEmptySubsequences: false)
        guard !answer.isETagOpaque, fields.count == 2, fields[0].utf8.count == 32, fields[0].allSatisfy(\.isHexDigit)
        else { return true }
        return etag == "\(hexadecimal(BodyDigests(of: parts.flatMap(\.digests.md5)).md5))-\(parts.count)"
    }
}
