// What a thousand requests do to a server that is down: almost nothing.

import Logging
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("An outage of the store", .timeLimit(.minutes(40)))
struct OutageTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// What a server was asked while it was down.
    private struct Traffic {
        var isBack = false
        var puts = 0
        var probing = 0
        var mostProbing = 0
    }

    private static let busy = CannedServer.Answer.reply(
        503, body: Array("<Error><Code>SlowDown</Code></Error>".utf8))

    @Test(
        "With the server known to be down, 1,000 puts send it nothing but one probe at a time, and end when it is back")
    func storm() async throws {
        let traffic = Mutex(Traffic())
        let (probes, probe) = AsyncStream.makeStream(of: Void.self)
        let server = try CannedServer { request in
            let isProbe = request.target.contains("list-type")
            let isBack = traffic.withLock { traffic in
                if isProbe { traffic.probing += 1 } else if !traffic.isBack { traffic.puts += 1 }
                traffic.mostProbing = max(traffic.mostProbing, traffic.probing)
                return traffic.isBack
            }
            if isProbe { probe.yield() }
            defer { if isProbe { traffic.withLock { $0.probing -= 1 } } }
            guard isBack else { return Self.busy }
            return isProbe ? .reply(200, body: CannedS3.listing) : .reply(200)
        }
        defer { server.stop() }
        let inner = try CannedS3.store(server.endpoint, transfers: 8)
        let store = RetryingStore(inner, logger: Self.silent, hold: { inner.hold($0) })
        try await withThrowingTaskGroup { group in
            @Sendable func put(_ number: Int) async throws {
                try await store.put("\(number)", .bytes([1]), ObjectAttributes(), deadline: CannedS3.tooFar)
            }
            // One alone finds out that it is down.
            group.addTask { try await put(0) }
            var probes = probes.makeAsyncIterator()
            await probes.next()
            for number in 1...1000 { group.addTask { try await put(number) } }
            for _ in 1...4 { await probes.next() }
            traffic.withLock { $0.isBack = true }
            try await group.waitForAll()
        }
        let seen = traffic.withLock { $0 }
        #expect(seen.puts == CircuitBreaker.threshold)
        #expect(seen.mostProbing == 1)
        #expect(server.connections <= 8)
    }

    @Test("Requests that were let through before the outage and not sent yet are handed back; a probe goes through")
    func handingBack() async throws {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        try await CannedS3.with { request in
            guard request.method == "PUT" else { return .reply(200, body: CannedS3.listing) }
            arrival.yield()
            return .hang
        } _: { store, server in
            let tasks = (0..<100).map { _ in
                Task { await CannedS3.outcome { try await CannedS3.put(store, deadline: CannedS3.tooFar) } }
            }
            var iterator = arrivals.makeAsyncIterator()
            // Uploads may have three of the four transfers.
            for _ in 1...3 { await iterator.next() }
            store.hold(true)
            try await store.check(deadline: CannedS3.tooFar)
            #expect(
                await CannedS3.outcome { try await CannedS3.put(store, deadline: CannedS3.tooFar) } == "unreachable")
            server.stop()
            for task in tasks { #expect(await task.value == "unreachable") }
            #expect(server.requests.count { $0.method == "PUT" } == 3)
        }
    }

    @Test("Requests that wait out an outage end at their deadline, with what is wrong, and were not sent")
    func deadlines() async throws {
        let probes = Gate()
        let faulty = FaultyStore(MemoryStore())
        let refused = ObjectStoreError.unreachable(reason: "connection refused")
        let rule = faulty.inject(.fail(refused), on: [.put])
        faulty.inject(.hold(probes), on: [.check])
        let store = RetryingStore(faulty, backoff: Backoff(first: .milliseconds(1)), logger: Self.silent)
        // One alone finds out.
        let first = Task {
            await CannedS3.outcome {
                try await store.put("first", .bytes([1]), ObjectAttributes(), deadline: CannedS3.tooFar)
            }
        }
        await probes.reached()
        #expect(rule.hits == CircuitBreaker.threshold)
        let outcomes = await withTaskGroup(of: ObjectStoreError?.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    do throws(ObjectStoreError) {
                        try await store.put("\(number)", .bytes([1]), ObjectAttributes(), deadline: .soon)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 1000)
        // Whoever comes after a probe's time was over hears of that.
        for outcome in outcomes { #expect(outcome == refused || outcome == .unreachable(reason: "held")) }
        #expect(rule.hits == CircuitBreaker.threshold)
        first.cancel()
        #expect(await first.value == "unreachable")
    }

    @Test("A cancelled request does not wait for the end of an outage")
    func cancellation() async throws {
        let faulty = FaultyStore(MemoryStore())
        faulty.inject(.fail(.unreachable(reason: "down")), on: [.put, .check])
        let store = RetryingStore(faulty, backoff: Backoff(first: .milliseconds(1)), logger: Self.silent)
        let tasks = (0..<20).map { number in
            Task {
                await CannedS3.outcome {
                    try await store.put("\(number)", .bytes([1]), ObjectAttributes(), deadline: CannedS3.tooFar)
                }
            }
        }
        for task in tasks { task.cancel() }
        for task in tasks { #expect(await task.value == "unreachable") }
    }

    @Test("A server that answers a probe with a refusal is back: who waits gets the refusal")
    func refusal() async throws {
        let faulty = FaultyStore(MemoryStore())
        faulty.inject(.fail(.unreachable(reason: "down")), on: [.put], count: CircuitBreaker.threshold)
        faulty.inject(.fail(.denied(.server(.accessDenied), message: "")))
        let store = RetryingStore(faulty, logger: Self.silent) { _ in }
        await #expect(throws: ObjectStoreError.denied(.server(.accessDenied), message: "")) {
            try await store.put("a", .bytes([1]), ObjectAttributes(), deadline: CannedS3.tooFar)
        }
    }

    @Test("A store that nobody uses any more is not probed for ever")
    func release() async {
        let answers = Gate()
        let faulty = FaultyStore(MemoryStore())
        faulty.inject(.hold(answers), on: [.check])
        weak var seen: OutageGate?
        do {
            let gate = OutageGate(
                logger: Self.silent, pause: { _ in },
                probe: { _ in
                    try? await faulty.check(deadline: CannedS3.tooFar)
                    return .nothing
                }, hold: { _ in })
            seen = gate
            for _ in 1...CircuitBreaker.threshold { gate.note(.unanswered(.unreachable(reason: "down")), began: 0) }
            await answers.reached()
        }
        // Gone while its prober still waits for an answer: that is the last it asks.
        #expect(seen == nil)
        answers.open()
    }

    @Test("When retries are many they wait for tokens of the budget, and all succeed")
    func budget() async throws {
        let faulty = FaultyStore(MemoryStore())
        // One in two answers is a failure, so that there never is an outage.
        for number in 0..<300 {
            faulty.inject(.fail(.unreachable(reason: "x")), on: [.put], keys: .exactly("\(number)"), count: 1)
        }
        let start = ContinuousClock.now
        // Time passes only while somebody waits.
        let waits = Mutex((count: 0, total: Duration.zero))
        let store = RetryingStore(
            faulty, logger: Self.silent, pause: { wait in waits.withLock { $0 = ($0.count + 1, $0.total + wait) } },
            now: { start + waits.withLock { $0.total } })
        for number in 0..<300 {
            try await store.put("\(number)", .bytes([1]), ObjectAttributes(), deadline: CannedS3.tooFar)
        }
        let (count, total) = waits.withLock { $0 }
        // Each failure waits once; those that find no token wait again, until time or answers have brought one.
        #expect(count > 300)
        #expect(total >= .seconds((300 - RetryBudget.capacity - 300 * RetryBudget.perAnswer) / RetryBudget.perSecond))
    }
}
