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
        let stream = try await begin(key, attributes, as: call, deadline: deadline)
        do throws(ObjectStoreError) {
            _ = try await inParallel(
                Array(1...layout.count), width: configuration.transfers,
                throwing: { number async throws(ObjectStoreError) in
                    let (offset, length) = layout.part(number)
                    let part = StreamedPart(
                        descriptor: file.descriptor, offset: offset, length: length, digests: digests[number - 1])
                    try await stream.send(number, part, deadline: deadline)
                })
            let content = StreamedContent(count: layout.count, length: file.length, sha256: file.digests.sha256)
            try await stream.complete(content, after: file.barrier, deadline: deadline)
        } catch {
            stream.abandon()
            throw error
        }
    }

    package func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? {
        try await begin(key, attributes, as: call, deadline: deadline)
    }

    /// Has the server begin an upload in parts, and puts it on record.
    private func begin(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> S3PartStream {
        let begun = MultipartUpload(key: key, id: try await create(key, attributes, deadline: deadline))
        // Before it is on record: a sweep in between must not take it for a leftover.
        uploads.begin(begun)
        let stream = S3PartStream(store: self, upload: begun, call: call)
        do throws(ObjectStoreError) {
            try await uploads.recorder?.began(begun)
        } catch {
            stream.abandon()
            throw error
        }
        return stream
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

    /// Tells the server to forget an upload; nobody waits for that.
    ///
    /// One that it has not forgotten stays on record.
    func abandon(_ upload: MultipartUpload) {
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
