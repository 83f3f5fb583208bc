// A large object: its parts travel in parallel, straight from the file. Each part is proven and tried again by itself.
// Nothing appears under the key before the server has been told to put the parts together; what cannot be finished is
// aborted, so that nobody pays for parts that belong to nothing.

import Linux
import Synchronization

extension S3Store {
    /// How long the server is asked to forget an upload that failed, behind the back of whoever waits for the failure.
    private static let abortPatience = Duration.seconds(20)

    func putParts(
        _ key: String, _ file: UploadedFile, _ layout: PartLayout, _ attributes: ObjectAttributes,
        as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        guard case .parts(let digests, _) = file.digests.transport, digests.count == layout.count else {
            throw .contentChanged(key: key)
        }
        let begun = MultipartUpload(key: key, id: try await create(key, attributes, deadline: deadline))
        // Before it is on record: a sweep in between must not take it for a leftover.
        uploads.begin(begun)
        do throws(ObjectStoreError) {
            try await uploads.recorder?.began(begun)
            let upload = PartUpload(
                call: call, key: key, id: begun.id, file: file, layout: layout, digests: digests)
            let parts = try await inParallel(
                Array(1...layout.count), width: configuration.transfers,
                throwing: {
                    number async throws(ObjectStoreError) in try await self.send(number, of: upload, deadline: deadline)
                })
            try await file.barrier?.pass()
            try await complete(upload, parts, deadline: deadline)
            await uploads.end(begun)
            if !parts.allSatisfy(\.isProven) {
                try await prove(key, sha256: file.digests.sha256, length: file.length, deadline: deadline)
            }
        } catch {
            abandon(begun)
            throw error
        }
    }

    private func create(
        _ key: String, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String {
        var request = try objectRequest(.post, .write, key, [("uploads", "")])
        request.headers =
            try headers(attributes) + configuration.objects.creationHeaders + configuration.objects.accessHeaders
        if enforcement.known?.needsChecksum == true { request.headers.append(("x-amz-checksum-algorithm", "SHA256")) }
        request.body = .bytes([], BodyDigests(of: []))
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200, !S3Failure(answer).hasCode else {
            throw S3Failure(answer).error(key: key, bucket: location)
        }
        guard let id = S3XML.text("InitiateMultipartUploadResult", "UploadId", in: answer.body), !id.isEmpty else {
            throw .unreachable(reason: "the server began an upload and did not say which")
        }
        return id
    }

    private func send(
        _ number: Int, of upload: PartUpload, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> SentPart {
        let (offset, length) = upload.layout.part(number)
        let digests = upload.digests[number - 1]
        var request = try objectRequest(
            .put, .writePart, upload.key, [("partNumber", "\(number)"), ("uploadId", upload.id)])
        request.headers = configuration.objects.accessHeaders
        request.body = .file(descriptor: upload.file.descriptor, offset: offset, length: length, digests)
        let ready = request
        return try await upload.call.part("put", upload.key, deadline: deadline) {
            () async throws(ObjectStoreError) in
            let (answer, isProven) = try await self.answerToBody(ready, deadline: deadline)
            guard let etag = answer.etag, !etag.isEmpty else {
                throw .unreachable(reason: "the server took a part and gave it no ETag")
            }
            return SentPart(number: number, etag: etag, isProven: isProven)
        }
    }

    private func complete(
        _ upload: PartUpload, _ parts: [SentPart], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        let withChecksums = enforcement.known?.needsChecksum == true
        let list = parts.map { part in
            let sum =
                withChecksums
                ? "<ChecksumSHA256>\(base64(upload.digests[part.number - 1].sha256))</ChecksumSHA256>" : ""
            return
                "<Part><PartNumber>\(part.number)</PartNumber><ETag>\"\(S3XML.escaped(part.etag))\"</ETag>\(sum)</Part>"
        }
        let body = Array("<CompleteMultipartUpload>\(list.joined())</CompleteMultipartUpload>".utf8)
        var request = try objectRequest(.post, .write, upload.key, [("uploadId", upload.id)])
        request.headers = [("content-type", "application/xml")]
        request.body = .bytes(body, BodyDigests(of: body))
        let ready = request
        try await upload.call.part("put", upload.key, deadline: deadline) { () async throws(ObjectStoreError) in
            let answer = try await self.loop.run(ready, deadline: deadline)
            let failure = S3Failure(answer)
            if answer.status == 200, S3XML.isDocument("CompleteMultipartUploadResult", answer.body) { return }
            // An earlier attempt was applied and its answer was lost, or a proxy spoke: the object says what is so.
            if failure.code == .noSuchUpload, try await self.isStored(upload, deadline: deadline) { return }
            guard answer.status != 200 || failure.hasCode else {
                throw .unreachable(reason: "the server did not say whether it put the parts together")
            }
            throw failure.error(key: upload.key, bucket: self.location)
        }
        try await upload.call.part("head", upload.key, deadline: deadline) { () async throws(ObjectStoreError) in
            guard try await self.isStored(upload, deadline: deadline) else {
                try? await self.delete(upload.key, deadline: deadline)
                throw .corrupted(key: upload.key, reason: "the server put other parts together than those sent")
            }
        }
    }

    /// Whether the object is there with the upload's length and, where it has the usual form, its ETag.
    private func isStored(
        _ upload: PartUpload, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Bool {
        guard let answer = try await headAnswer(upload.key, deadline: deadline),
            answer.contentLength == upload.file.length
        else { return false }
        let etag = answer.etag?.lowercased() ?? ""
        let fields = etag.split(separator: "-", omittingEmptySubsequences: false)
        guard !answer.isETagOpaque, fields.count == 2, fields[0].utf8.count == 32, fields[0].allSatisfy(\.isHexDigit)
        else { return true }
        return etag == "\(hexadecimal(BodyDigests(of: upload.digests.flatMap(\.md5)).md5))-\(upload.layout.count)"
    }

    /// Tells the server to forget an upload; nobody waits for that.
    ///
    /// One that it has not forgotten stays on record.
    private func abandon(_ upload: MultipartUpload) {
        Task {
            do throws(ObjectStoreError) {
                try await self.abort(upload, deadline: .now + Self.abortPatience)
                await self.uploads.end(upload)
            } catch {
                self.uploads.leave(upload)
            }
        }
    }

    /// Forgets an upload; one that is not there counts as forgotten.
    func abort(_ upload: MultipartUpload, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        let request = try objectRequest(.delete, .upkeep, upload.key, [("uploadId", upload.id)])
        let answer = try await loop.run(request, deadline: deadline)
        let failure = S3Failure(answer)
        if answer.status == 204 || answer.status == 404 && failure.code == .noSuchUpload { return }
        if answer.status == 200, !failure.hasCode { return }
        throw failure.error(key: upload.key, bucket: location)
    }
}

/// An upload in parts and what it carries.
private struct PartUpload: Sendable {
    /// The call that it is made for.
    let call: StoreCall
    let key: String
    /// The server's name for it.
    let id: String
    let file: UploadedFile
    let layout: PartLayout
    /// Those of the parts, in order.
    let digests: [BodyDigests]
}

/// A part that the server has.
private struct SentPart: Sendable {
    let number: Int
    /// Without quotes.
    let etag: String
    let isProven: Bool
}

/// The uploads in parts that this process has begun and neither finished nor aborted, and the record of all of them.
final class UploadsUnderWay: Sendable {
    private struct State {
        var running: Set<MultipartUpload> = []
        var recorder: (any UploadRecorder)?
    }

    /// Held for no call.
    private let state = Mutex(State())

    /// nil as long as none was given: then nothing is on record, and nothing is swept.
    var recorder: (any UploadRecorder)? { state.withLock { $0.recorder } }

    func use(_ recorder: any UploadRecorder) { state.withLock { $0.recorder = recorder } }

    func begin(_ upload: MultipartUpload) {
        _ = state.withLock { $0.running.insert(upload) }
    }

    /// It was finished or aborted: the record goes first, so that no sweep finds it there as nobody's.
    func end(_ upload: MultipartUpload) async {
        await recorder?.ended(upload)
        leave(upload)
    }

    /// It is given up and stays on record.
    func leave(_ upload: MultipartUpload) {
        _ = state.withLock { $0.running.remove(upload) }
    }

    func isRunning(_ upload: MultipartUpload) -> Bool { state.withLock { $0.running.contains(upload) } }
}
