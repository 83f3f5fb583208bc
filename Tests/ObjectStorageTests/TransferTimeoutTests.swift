// A dead server is found out by silence, a slow one is left alone.

import Glibc
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Timeouts of a request", .timeLimit(.minutes(40)))
struct TransferTimeoutTests {
    private static let start = ContinuousClock.now
    private static let timeouts = TransferTimeouts(connect: .seconds(5), firstByte: .seconds(20), stall: .seconds(30))

    /// What 100 bytes of body have failed with.
    private static func failure(_ progress: TransferProgress, at second: Int) -> ObjectStoreError? {
        progress.failure(length: 100, timeouts, now: start + .seconds(second))
    }

    @Test("The answer's first byte has its own limit, from the last byte of the request on")
    func firstByte() {
        var progress = TransferProgress(now: Self.start)
        progress.look(sent: 100, now: Self.start + .seconds(10))
        progress.look(sent: 100, now: Self.start + .seconds(20))
        #expect(Self.failure(progress, at: 29) == nil)
        #expect(Self.failure(progress, at: 30) == .unreachable(reason: "no answer within 20 s"))
    }

    @Test("A body stalls when no byte moved, either way, however long the whole takes")
    func stall() {
        var progress = TransferProgress(now: Self.start)
        for second in stride(from: 0, through: 1000, by: 25) {
            #expect(Self.failure(progress, at: second) == nil)
            progress.look(sent: Int64(second / 25 + 1), now: Self.start + .seconds(second))
        }
        #expect(Self.failure(progress, at: 1029) == nil)
        #expect(Self.failure(progress, at: 1030) == .unreachable(reason: "no byte moved for 30 s"))
        progress.look(sent: 100, now: Self.start + .seconds(1030))
        progress.noteAnswer(now: Self.start + .seconds(1040))
        #expect(Self.failure(progress, at: 1069) == nil)
        #expect(Self.failure(progress, at: 1070) == .unreachable(reason: "no byte moved for 30 s"))
    }

    /// What a request ends with, in words.
    private static func reason(_ request: () async throws(ObjectStoreError) -> Void) async -> String {
        do throws(ObjectStoreError) { try await request() } catch { return "\(error)" }
        return "none"
    }

    private static let short = Duration.milliseconds(300)

    @Test("A server that takes a request and never answers it is unreachable long before the deadline")
    func noAnswer() async throws {
        let server = try CannedServer { _ in .hang }
        defer { server.stop() }
        let store = try CannedS3.store(server.endpoint, timeouts: TransferTimeouts(firstByte: Self.short))
        let reason = await Self.reason { () async throws(ObjectStoreError) in
            try await store.check(deadline: CannedS3.tooFar)
        }
        #expect(reason.contains("no answer within 0.3 s"))
    }

    @Test("An answer that stops in its body is unreachable long before the deadline")
    func stalledAnswer() async throws {
        let server = try CannedServer { _ in .stall(promised: 100, body: sampleBytes(50)) }
        defer { server.stop() }
        let store = try CannedS3.store(server.endpoint, timeouts: TransferTimeouts(stall: Self.short))
        let target = try TemporaryFile()
        let reason = await Self.reason { () async throws(ObjectStoreError) in
            _ = try await store.get("a", into: target.descriptor, limit: 1000, deadline: CannedS3.tooFar)
        }
        #expect(reason.contains("no byte moved for 0.3 s"))
    }

    @Test("A server that stops reading the body is unreachable long before the deadline")
    func stalledBody() async throws {
        // Nobody accepts, and the kernel takes what fits into its buffers.
        let listener = try SilentListener()
        let store = try CannedS3.store(listener.endpoint, timeouts: TransferTimeouts(stall: Self.short))
        let reason = await Self.reason { () async throws(ObjectStoreError) in
            try await store.put(
                "a", .bytes([UInt8](repeating: 7, count: 32 << 20)), ObjectAttributes(), deadline: CannedS3.tooFar)
        }
        #expect(reason.contains("no byte moved for 0.3 s"))
        withExtendedLifetime(listener) {}
    }

    @Test("After a kept connection that died without a word no other of its age is used")
    func deadConnections() async throws {
        let dead = Mutex(0)
        let server = try CannedServer { request in
            // The first ones come at the same time, each on a connection of its own.
            if dead.withLock({ $0 }) == 0 { usleep(100_000) }
            return request.connection <= dead.withLock { $0 } ? .hang : .reply(200, headers: ["ETag": "\"x\""])
        }
        defer { server.stop() }
        let store = try CannedS3.store(server.endpoint, timeouts: TransferTimeouts(firstByte: Self.short))
        await withTaskGroup(of: Void.self) { group in
            for _ in 1...4 { group.addTask { _ = try? await store.head("a", deadline: CannedS3.tooFar) } }
        }
        let before = server.connections
        #expect(before > 1)
        dead.withLock { $0 = before }
        let first = await Self.reason { () async throws(ObjectStoreError) in
            _ = try await store.head("a", deadline: CannedS3.tooFar)
        }
        #expect(first.contains("no answer within 0.3 s"))
        for _ in 1...before {
            let later = await Self.reason { () async throws(ObjectStoreError) in
                _ = try await store.head("a", deadline: CannedS3.tooFar)
            }
            #expect(later == "none")
        }
    }

    @Test("After a silence requests make new connections for three seconds, and then use those that were made since")
    func trust() {
        var kept = KeptConnections()
        #expect(kept.trust(now: Self.start) == .any)
        kept.fellSilent(now: Self.start)
        #expect(kept.trust(now: Self.start + .seconds(2)) == .none)
        #expect(kept.trust(now: Self.start + .seconds(9)) == .youngerThan(seconds: 8))
        #expect(kept.trust(now: Self.start + .seconds(600)) == .any)
    }

    @Test("A kept connection has ten seconds, or eight times what the slowest of the last answers took")
    func patience() {
        var kept = KeptConnections()
        let timeouts = TransferTimeouts(firstByte: .seconds(20))
        #expect(kept.patience(timeouts) == .seconds(10))
        kept.answered(after: .seconds(2))
        #expect(kept.patience(timeouts) == .seconds(16))
        kept.answered(after: .seconds(9))
        #expect(kept.patience(timeouts) == .seconds(20))
        for _ in 1...100 { kept.answered(after: .milliseconds(10)) }
        #expect(kept.patience(timeouts) == .seconds(10))
    }

    @Test("A server that accepts no connection is unreachable long before the deadline")
    func noConnection() async throws {
        let listener = try SilentListener(isFull: true)
        let store = try CannedS3.store(listener.endpoint, timeouts: TransferTimeouts(connect: Self.short))
        #expect(await CannedS3.outcome { try await store.check(deadline: CannedS3.tooFar) } == "unreachable")
        withExtendedLifetime(listener) {}
    }

    @Test("A slow reader of a body that the kernel has taken whole is waited for")
    func slowReader() async throws {
        let listener = try SilentListener()
        let body = [UInt8](repeating: 7, count: 3 << 20)
        listener.answerSlowly(pause: .milliseconds(200), piece: 128 << 10)
        let store = try CannedS3.store(
            listener.endpoint, timeouts: TransferTimeouts(firstByte: .seconds(2), stall: .seconds(2)))
        let reason = await Self.reason { () async throws(ObjectStoreError) in
            try await store.put("a", .bytes(body), ObjectAttributes(), deadline: CannedS3.tooFar)
        }
        #expect(reason == "none")
        withExtendedLifetime(listener) {}
    }
}
