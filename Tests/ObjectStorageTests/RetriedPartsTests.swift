// The parts of a large object are tried again by the rules of the call that they belong to.

import Logging
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("Parts are tried again within their call", .timeLimit(.minutes(40)))
struct RetriedPartsTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let bytes = largeBytes((11 << 20) + 17)
    private static let damage = ObjectStoreError.corrupted(key: "a", reason: "r")
    private static let outage = ObjectStoreError.unreachable(reason: "down")

    private static func retrying(_ store: any ObjectStore) -> RetryingStore {
        RetryingStore(store, logger: silent, pause: { _ in })
    }

    /// `probe` says what a store that is down answers; it answers well if there is none.
    private static func retrier(
        probe: @escaping @Sendable (ContinuousClock.Instant) async throws(ObjectStoreError) -> Void = { _ in }
    ) -> Retrier {
        Retrier(
            backoff: Backoff(first: .milliseconds(1)), logger: silent, pause: { _ in }, now: { .now }, probe: probe,
            hold: { _ in })
    }

    private static func put(_ store: any ObjectStore) async throws {
        let file = try TemporaryFile(bytes)
        let count = Int64(bytes.count)
        let digests = try ContentDigests(ofFile: file.descriptor, length: count, store.digestPlan(length: count))
        try await store.put(
            "v.mp4", .file(descriptor: file.descriptor, length: count, digests: digests), ObjectAttributes(),
            deadline: CannedS3.tooFar)
    }

    private static func get(_ store: any ObjectStore) async throws -> [UInt8] {
        let target = try TemporaryFile()
        _ = try await store.get(
            "v.mp4", into: target.descriptor, limit: Int64(bytes.count), deadline: CannedS3.tooFar)
        return try target.contents
    }

    @Test("Damages of a call and of its parts have one limit")
    func sharedDamages() async {
        var calls = 0
        var parts = 0
        await #expect(throws: Self.damage) {
            try await Self.retrier().call("put", "a", deadline: CannedS3.tooFar) {
                call async throws(ObjectStoreError) in
                calls += 1
                try await call.part("put", "a", deadline: CannedS3.tooFar) { () async throws(ObjectStoreError) in
                    parts += 1
                    if parts == 1 { throw Self.damage }
                }
                throw Self.damage
            }
        }
        // One of a part, and one of each call.
        #expect(calls == 2)
        #expect(parts == 3)
    }

    @Test("Damages of one call do not count for the next")
    func separateDamages() async throws {
        let retrier = Self.retrier()
        for _ in 1...3 {
            var attempts = 0
            try await retrier.call("put", "a", deadline: CannedS3.tooFar) { call async throws(ObjectStoreError) in
                try await call.part("put", "a", deadline: CannedS3.tooFar) { () async throws(ObjectStoreError) in
                    attempts += 1
                    if attempts < 3 { throw Self.damage }
                }
            }
            #expect(attempts == 3)
        }
    }

    @Test("Three parts that are damaged once each end the upload: its parts share the limit")
    func sharedLimit() async throws {
        let bucket = CannedBucket()
        let damaged = Mutex<Set<Int>>([])
        try await bucket.with { request, bucket in
            guard let number = request.partNumber, damaged.withLock({ $0.insert(number).inserted }) else {
                return bucket(request)
            }
            return bucket(request.damaged)
        } _: { store, server in
            #expect(await CannedS3.outcome { try await Self.put(Self.retrying(store)) } == "corrupted")
            #expect(damaged.withLock { $0 } == [1, 2, 3])
            #expect(server.requests.count { $0.isCreation } == 1)
            try await bucket.untilNoUploads()
            #expect(bucket.keys == [])
        }
    }

    @Test("Parts of a store that nobody retries are tried once, up and down")
    func once() async throws {
        let bucket = CannedBucket()
        bucket["shop/v.mp4"] = .init(bytes: Self.bytes, etag: "first", headers: [:])
        try await bucket.with { request, bucket in
            let isSecond = request.partNumber == 2 || request.headers["range"] == "bytes=5242880-10485759"
            return isSecond ? CannedBucket.error(503, "SlowDown") : bucket(request)
        } _: { store, server in
            #expect(await CannedS3.outcome { try await Self.put(store) } == "unreachable")
            #expect(server.requests.count { $0.partNumber == 2 } == 1)
            #expect(await CannedS3.outcome { _ = try await Self.get(store) } == "unreachable")
            #expect(server.requests.count { $0.headers["range"] == "bytes=5242880-10485759" } == 1)
        }
    }

    /// What a server was asked while it was down.
    private struct Traffic {
        var isBack = false
        var parts = 0
    }

    @Test("An outage holds the parts of an upload back; they go on when it ends, and nothing begins anew")
    func outage() async throws {
        let bucket = CannedBucket()
        let traffic = Mutex(Traffic())
        let (probes, probe) = AsyncStream.makeStream(of: Void.self)
        try await bucket.with(proof: UploadProof(refusesWrongMD5: true)) { request, bucket in
            let isProbe = request.target.contains("list-type")
            let isBack = traffic.withLock { traffic in
                if request.partNumber != nil, !traffic.isBack { traffic.parts += 1 }
                return traffic.isBack
            }
            if isProbe { probe.yield() }
            return isBack || request.isCreation ? bucket(request) : CannedBucket.error(503, "SlowDown")
        } _: { store, server in
            let retrying = RetryingStore(store, logger: Self.silent, pause: { _ in }, hold: { store.hold($0) })
            async let upload: Void = Self.put(retrying)
            var probes = probes.makeAsyncIterator()
            for _ in 1...20 { await probes.next() }
            #expect(retrying.outage != nil)
            traffic.withLock { $0.isBack = true }
            try await upload
            // When one of the three parts proves the outage, the two others may be on their way.
            #expect((CircuitBreaker.threshold...CircuitBreaker.threshold + 2).contains(traffic.withLock { $0.parts }))
            #expect(server.requests.count { $0.isCreation } == 1)
            #expect(bucket["shop/v.mp4"]?.bytes == Self.bytes)
        }
    }

    @Test("A part that waits out an outage ends at its deadline, with what is wrong")
    func deadline() async {
        let retrier = Self.retrier { deadline async throws(ObjectStoreError) in
            try? await Task.sleep(until: deadline, clock: .continuous)
            throw Self.outage
        }
        var attempts = 0
        let deadline = ContinuousClock.now + .seconds(15)
        await #expect(throws: Self.outage) {
            try await retrier.call("put", "a", deadline: deadline) { call async throws(ObjectStoreError) in
                try await call.part("put", "a", deadline: deadline) { () async throws(ObjectStoreError) in
                    attempts += 1
                    throw Self.outage
                }
            }
        }
        #expect(attempts == CircuitBreaker.threshold)
    }
}
