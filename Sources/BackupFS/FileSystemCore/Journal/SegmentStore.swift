// Segments on their way to backup storage and back.

import Catalogue
import Foundation
import Glibc
import Linux
import ObjectStorage

/// Writes segments, sends them, and gets them.
struct SegmentStore: Sendable {
    /// The metadata that has the SHA-256 of a segment's bytes, in hexadecimal.
    private static let sumName = "backupfs-sha256"
    /// The metadata that has the time of its last change, in nanoseconds since 1970.
    static let timeName = "backupfs-time"

    let store: any ObjectStore
    /// Gives an empty file of nobody else's.
    let makeFile: @Sendable () throws(SegmentError) -> Descriptor

    init(_ store: any ObjectStore, makeFile: @escaping @Sendable () throws(SegmentError) -> Descriptor) {
        self.store = store
        self.makeFile = makeFile
    }

    /// Segments that are too large for memory go to main's staging.
    init(_ store: any ObjectStore, _ main: MainStorage) {
        self.init(store) { () throws(SegmentError) in
            do throws(FileSystemError) {
                return try main.createNameless("segment")
            } catch {
                if case .main(let code, _) = error { throw .localFile(errno: code) }
                throw .localFile(errno: EIO)
            }
        }
    }

    /// Writes a segment of the records that `tell` gives.
    func write<Failure: Error>(
        _ header: SegmentHeader, _ tell: (_ receive: (JournalRecord) -> Void) throws(Failure) -> Void
    ) throws(Failure) -> Result<SegmentBody, SegmentError> {
        let writer = SegmentWriter(header, makeFile: makeFile)
        var failure: SegmentError?
        try tell { record in
            guard failure == nil else { return }
            do throws(SegmentError) { try writer.add(record) } catch { failure = error }
        }
        if let failure { return .failure(failure) }
        return Result { () throws(SegmentError) in try writer.finish() }
    }

    /// Sends a segment; returns the SHA-256 of its bytes.
    func put(
        _ body: SegmentBody, under key: JournalKey, time: Nanoseconds, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [UInt8] {
        let digests: ContentDigests
        let object: ObjectBody
        switch body {
        case .memory(let bytes):
            digests = ContentDigests(of: bytes)
            object = .bytes(bytes)
        case .file(let file, let length):
            digests = try ContentDigests(ofFile: file.number, length: length, store.digestPlan(length: length))
            object = .file(descriptor: file.number, length: length, digests: digests)
        }
        let attributes = ObjectAttributes(
            contentType: "application/gzip",
            metadata: [Self.sumName: hexadecimal(digests.sha256), Self.timeName: "\(time)"])
        try await store.put(key.key, object, attributes, deadline: deadline)
        return digests.sha256
    }

    /// Gets a segment whole; nil if it is not there.
    ///
    /// Throws `.corrupted` if its bytes are not those that were sent.
    func get(
        _ key: JournalKey, size: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (body: SegmentBody, sha256: [UInt8])? {
        let file: Descriptor
        do throws(SegmentError) { file = try makeFile() } catch { throw .localFile(errno: EIO) }
        let summary: ObjectSummary
        do throws(ObjectStoreError) {
            summary = try await store.get(key.key, into: file.number, limit: size, deadline: deadline)
        } catch .notFound {
            return nil
        }
        let sum = summary.sha256
        guard summary.metadata[Self.sumName].map({ $0 == hexadecimal(sum) }) ?? true else {
            throw .corrupted(key: key.key, reason: "the checksum is not the one of the segment that was sent")
        }
        return (.file(file, length: summary.size), sum)
    }
}
