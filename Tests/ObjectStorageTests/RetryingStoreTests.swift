import Logging
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@Suite("Trying again")
struct RetryingStoreTests {
    private let memory = MemoryStore()
    private let faulty: FaultyStore
    private let waits = Waits()
    private let store: RetryingStore

    /// Records the waits and takes none.
    private final class Waits: Sendable {
        let all = Mutex<[Duration]>([])
    }

    init() {
        faulty = FaultyStore(memory)
        store = RetryingStore(faulty, logger: Logger(label: "test")) { [waits] wait in
            waits.all.withLock { $0.append(wait) }
        }
    }

    private func put(deadline: ContinuousClock.Instant = .farAway) async throws {
        try await store.put("a", .bytes([1]), ObjectAttributes(), deadline: deadline)
    }

    @Test("What is transient is tried again until it works")
    func transient() async throws {
        let rule = faulty.inject(.fail(.unreachable(reason: "x")), on: [.put], count: 4)
        try await put()
        #expect(rule.hits == 4)
        #expect(memory.count(.put) == 1)
        #expect(waits.all.withLock { $0.count } == 4)
    }

    @Test("A put whose answer was lost is done once more, and the object is right")
    func lostAnswer() async throws {
        faulty.inject(.loseAnswer, on: [.put], count: 1)
        try await put()
        #expect(memory.count(.put) == 2)
        #expect(memory["a"]?.bytes == [1])
    }

    @Test("Waits grow from 50 ms to 2 s and have jitter")
    func waiting() async throws {
        faulty.inject(.fail(.unreachable(reason: "x")), on: [.put], count: 4)
        try await put()
        let backoff = Backoff()
        let waits = waits.all.withLock { $0 }
        for (index, wait) in waits.enumerated() { #expect(wait <= backoff.ceiling(afterFailures: index + 1)) }
        let ceilings = (1...8).map { backoff.ceiling(afterFailures: $0) }
        #expect(ceilings == [50, 100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
        #expect(Set(waits).count > 1)
    }

    @Test("Retry-After is waited for; if it leads past the deadline the request fails at once")
    func retryAfter() async throws {
        let asked = ObjectStoreError.unreachable(reason: "busy", retryAfter: .seconds(30))
        faulty.inject(.fail(asked), on: [.put], count: 1)
        try await put()
        #expect(waits.all.withLock { $0 } == [.seconds(30)])
        let rule = faulty.inject(.fail(asked), on: [.put])
        await #expect(throws: asked) { try await put(deadline: .now + .seconds(20)) }
        #expect(rule.hits == 1)
    }

    @Test(
        "What is not transient is tried once",
        arguments: [
            ObjectStoreError.noSuchBucket("b"), .denied(.status(403), message: "m"), .full(message: "m"),
            .rejected(.status(403), message: "m"), .contentChanged(key: "a"), .localFile(errno: 5), .notFound(key: "a"),
            .deadlineExceeded(reason: "r"),
        ])
    func permanent(_ error: ObjectStoreError) async {
        let rule = faulty.inject(.fail(error))
        await #expect(throws: error) { try await put() }
        #expect(rule.hits == 1)
    }

    @Test("Damage is tried again, three times in all")
    func damage() async {
        let error = ObjectStoreError.corrupted(key: "a", reason: "r")
        let rule = faulty.inject(.fail(error))
        await #expect(throws: error) { try await put() }
        #expect(rule.hits == 3)
    }

    @Test("When the time is up, the last real error is told, not that the time is up")
    func deadline() async {
        faulty.inject(.fail(.unreachable(reason: "first")), on: [.put], count: 1)
        faulty.inject(.fail(.deadlineExceeded(reason: "second")), on: [.put])
        await #expect(throws: ObjectStoreError.unreachable(reason: "first")) { try await put() }
        faulty.heal()
        let rule = faulty.inject(.fail(.unreachable(reason: "down")), on: [.put])
        await #expect(throws: ObjectStoreError.unreachable(reason: "down")) { try await put(deadline: .now) }
        #expect(rule.hits == 1)
    }

    @Test("Every kind of request is tried again")
    func everyMethod() async throws {
        memory["a"] = MemoryStore.Object(bytes: [1], attributes: ObjectAttributes())
        for method in StoreMethod.allCases { faulty.inject(.fail(.unreachable(reason: "x")), on: [method], count: 1) }
        let target = try TemporaryFile()
        try await store.check(deadline: .farAway)
        try await put()
        let summary = try await store.get("a", into: target.descriptor, limit: 1, deadline: .farAway)
        #expect(summary.sha256 == BodyDigests(of: [1]).sha256)
        #expect(try await store.head("a", deadline: .farAway)?.size == 1)
        #expect(try await store.list(prefix: "", after: nil, deadline: .farAway).count == 1)
        try await store.delete("a", deadline: .farAway)
        #expect(waits.all.withLock { $0.count } == StoreMethod.allCases.count)
    }
}
