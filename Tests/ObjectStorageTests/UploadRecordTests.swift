import Foundation
import Glibc
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("Uploads in parts are on record, and only those on record are aborted", .timeLimit(.minutes(40)))
struct UploadRecordTests {
    private static let bytes = largeBytes((5 << 20) * 2 + 17)

    private static func put(_ store: any ObjectStore) async throws {
        let file = try TemporaryFile(bytes)
        let count = Int64(bytes.count)
        let digests = try ContentDigests(ofFile: file.descriptor, length: count, store.digestPlan(length: count))
        try await store.put(
            "v.mp4", .file(descriptor: file.descriptor, length: count, digests: digests), ObjectAttributes(),
            deadline: .farAway)
    }

    @Test("It is on record before its first part is sent, and no more when it is finished")
    func recorded() async throws {
        let bucket = CannedBucket()
        let record = UploadMemory()
        let early = Flag()
        try await bucket.with { request, bucket in
            if request.partNumber != nil, record.keys != ["v.mp4"] { early.set() }
            return bucket(request)
        } _: { store, server in
            store.use(record)
            try await Self.put(store)
            #expect(server.requests.contains { $0.partNumber != nil } && !early.isSet)
            #expect(record.keys == [])
        }
    }

    @Test("An upload that cannot be recorded sends no part, fails, and is aborted")
    func unrecorded() async throws {
        let bucket = CannedBucket()
        try await bucket.with { store, server in
            store.use(UploadMemory(failure: .localFile(errno: ENOSPC)))
            await #expect(throws: ObjectStoreError.localFile(errno: ENOSPC)) { try await Self.put(store) }
            try await bucket.untilNoUploads()
            #expect(!server.requests.contains { $0.partNumber != nil })
        }
    }

    @Test("One that could not be aborted stays on record, and the next sweep aborts it")
    func abortFails() async throws {
        let bucket = CannedBucket()
        let record = UploadMemory()
        let (refusals, refusal) = AsyncStream.makeStream(of: Void.self)
        let isUp = Flag()
        try await bucket.with { request, bucket in
            if request.partNumber != nil { return CannedBucket.error(403, "AccessDenied") }
            guard request.isAbort, !isUp.isSet else { return bucket(request) }
            refusal.yield()
            return CannedBucket.error(403, "AccessDenied")
        } _: { store, _ in
            store.use(record)
            #expect(await CannedS3.outcome { try await Self.put(store) } == "denied")
            var iterator = refusals.makeAsyncIterator()
            await iterator.next()
            #expect(record.keys == ["v.mp4"])
            isUp.set()
            while bucket.uploads != [] {
                // As long as the abort is under way the upload counts as running.
                _ = try await store.abortUnfinished(deadline: .farAway)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(record.keys == [])
        }
    }

    @Test("A sweep aborts what is on record, not what runs here, and never what others upload")
    func sweep() async throws {
        let bucket = CannedBucket()
        let record = UploadMemory()
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        let isOpen = Flag()
        try await bucket.with { request, bucket in
            if request.isCompletion {
                arrival.yield()
                while !isOpen.isSet { usleep(1000) }
            }
            return bucket(request)
        } _: { store, _ in
            for key in ["shop/theirs", "shop/d/theirs", "shopping", "other/x"] { bucket.leaveUpload(key) }
            // Under one key too: the id says whose it is.
            bucket.leaveUpload("shop/old")
            try await record.began(MultipartUpload(key: "old", id: bucket.leaveUpload("shop/old")))
            try await record.began(MultipartUpload(key: "gone", id: "finished long ago"))
            #expect(try await store.abortUnfinished(deadline: .farAway) == 0)
            store.use(record)
            let running = Task { try await Self.put(store) }
            var iterator = arrivals.makeAsyncIterator()
            await iterator.next()
            #expect(try await store.abortUnfinished(deadline: .farAway) == 2)
            #expect(
                bucket.uploads == ["other/x", "shop/d/theirs", "shop/old", "shop/theirs", "shop/v.mp4", "shopping"])
            #expect(record.keys == ["v.mp4"])
            isOpen.set()
            try await running.value
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
            #expect(record.keys == [])
        }
    }

    @Test("One that the server refuses to abort does not keep the others")
    func refusedAbort() async throws {
        let bucket = CannedBucket()
        let record = UploadMemory()
        try await bucket.with { request, bucket in
            request.isAbort && request.target.contains("/locked")
                ? CannedBucket.error(403, "AccessDenied") : bucket(request)
        } _: { store, _ in
            store.use(record)
            for key in ["a", "locked", "z"] {
                try await record.began(MultipartUpload(key: key, id: bucket.leaveUpload("shop/\(key)")))
            }
            #expect(await CannedS3.outcome { _ = try await store.abortUnfinished(deadline: .farAway) } == "denied")
            #expect(bucket.uploads == ["shop/locked"])
            #expect(record.keys == ["locked"])
        }
    }
}
