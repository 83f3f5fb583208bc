// When credentials are fetched: once for all who wait, before the old ones end, and when the server refuses them.

import Foundation
import Synchronization
import Testing

@testable import ObjectStorage

@Suite("Keeping credentials fresh", .timeLimit(.minutes(40)))
struct CredentialsProviderTests {
    /// A container's endpoint that numbers what it gives, and a clock to set.
    private final class Source: Sendable {
        /// How long credentials last, in seconds; nil: the endpoint is down.
        let life = Mutex<Int64?>(3600)
        let time = Mutex<Int64>(1_000_000)
        let count = Mutex(0)
        /// While it is closed, the endpoint does not answer.
        let gate: Mutex<[OneShotSignal]?> = Mutex(nil)
    }

    private final class OneShotSignal: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        func open() { semaphore.signal() }
        func wait() { semaphore.wait() }
    }

    private static func with(
        pause: Duration = .zero, _ test: (Source, CredentialsProvider, CannedServer) async throws -> Void
    ) async throws {
        let source = Source()
        let server = try CannedServer { _ in
            let signal = source.gate.withLock { gate -> OneShotSignal? in
                guard gate != nil else { return nil }
                let signal = OneShotSignal()
                gate?.append(signal)
                return signal
            }
            signal?.wait()
            guard let life = source.life.withLock({ $0 }) else { return .reply(503) }
            let number = source.count.withLock { count in
                count += 1
                return count
            }
            let end = Date(timeIntervalSince1970: TimeInterval(source.time.withLock { $0 } + life))
            let json =
                #"{"AccessKeyId":"K\#(number)","SecretAccessKey":"S","Token":"T","Expiration":"\#(end.formatted(.iso8601))"}"#
            return .reply(200, body: Array(json.utf8))
        }
        defer { server.stop() }
        let chain = try Home().chain(["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/"])
        let clock = ServerClock { source.time.withLock { $0 } }
        try await test(source, Home.provider(chain, clock: clock, pause: pause), server)
    }

    private static func key(_ provider: CredentialsProvider) async throws -> String {
        try await provider.current(deadline: .farAway).accessKey
    }

    @Test("A hundred requests that start together cause one fetch")
    func sharing() async throws {
        try await Self.with { source, provider, server async throws in
            let keys = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 1...100 { group.addTask { try await Self.key(provider) } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(keys == ["K1"])
            #expect(try await Self.key(provider) == "K1")
            #expect(server.requests.count == 1)
        }
    }

    @Test("Before they end, the next ones are fetched while requests go on with the old ones")
    func refresh() async throws {
        try await Self.with { source, provider, server async throws in
            #expect(try await Self.key(provider) == "K1")
            source.time.withLock { $0 += 3600 - 16 * 60 }
            #expect(try await Self.key(provider) == "K1")
            #expect(server.requests.count == 1)
            source.gate.withLock { $0 = [] }
            source.time.withLock { $0 += 2 * 60 }
            // The endpoint does not answer, and nobody waits for it.
            for _ in 1...10 { #expect(try await Self.key(provider) == "K1") }
            while source.gate.withLock({ $0?.isEmpty ?? false }) { await Task.yield() }
            source.gate.withLock { gate in
                for signal in gate ?? [] { signal.open() }
                gate = nil
            }
            // On a busy machine the endpoint's answer may come too late, and it is asked again.
            while try await Self.key(provider) == "K1" { await Task.yield() }
        }
    }

    @Test("Credentials that are over are not used: requests wait for the next ones")
    func expiry() async throws {
        try await Self.with { source, provider, server async throws in
            #expect(try await Self.key(provider) == "K1")
            source.time.withLock { $0 += 3600 - 30 }
            #expect(try await Self.key(provider) == "K2")
            #expect(server.requests.count == 2)
        }
    }

    @Test("Short lives are used for most of their time")
    func shortLife() async throws {
        try await Self.with { source, provider, server async throws in
            source.life.withLock { $0 = 60 }
            #expect(try await Self.key(provider) == "K1")
            source.time.withLock { $0 += 44 }
            #expect(try await Self.key(provider) == "K1")
            #expect(server.requests.count == 1)
            source.time.withLock { $0 += 14 }
            #expect(try await Self.key(provider) == "K2")
        }
    }

    @Test("An endpoint that is down costs nothing while the old ones hold; then it is an outage, and heals")
    func outage() async throws {
        try await Self.with { source, provider, server async throws in
            #expect(try await Self.key(provider) == "K1")
            source.life.withLock { $0 = nil }
            source.time.withLock { $0 += 3600 - 10 * 60 }
            for _ in 1...10 { #expect(try await Self.key(provider) == "K1") }
            source.time.withLock { $0 += 10 * 60 }
            #expect(await CannedS3.outcome { _ = try await Self.key(provider) } == "unreachable")
            source.life.withLock { $0 = 3600 }
            #expect(try await Self.key(provider) == "K2")
        }
    }

    @Test("After a fetch that failed there is a rest, in which the old ones are used or their failure is told")
    func rest() async throws {
        try await Self.with(pause: .seconds(3600)) { source, provider, server async throws in
            #expect(try await Self.key(provider) == "K1")
            source.life.withLock { $0 = nil }
            source.time.withLock { $0 += 3600 - 10 * 60 }
            #expect(await provider.replace(try await provider.current(deadline: .farAway), deadline: .farAway) == false)
            for _ in 1...10 { #expect(try await Self.key(provider) == "K1") }
            source.time.withLock { $0 += 10 * 60 }
            for _ in 1...10 { #expect(await CannedS3.outcome { _ = try await Self.key(provider) } == "unreachable") }
            #expect(server.requests.count == 2)
        }
    }

    @Test("Credentials that are over when they come are used all the same: perhaps the clock is wrong")
    func overAtOnce() async throws {
        try await Self.with(pause: .seconds(3600)) { source, provider, server async throws in
            source.life.withLock { $0 = -60 }
            for _ in 1...10 { #expect(try await Self.key(provider) == "K1") }
            #expect(server.requests.count == 1)
        }
    }

    @Test("When the server refuses credentials, a hundred requests cause one fetch; who has others already causes none")
    func replacing() async throws {
        try await Self.with { source, provider, server async throws in
            let refused = try await provider.current(deadline: .farAway)
            let answers = await withTaskGroup(of: Bool.self) { group in
                for _ in 1...100 { group.addTask { await provider.replace(refused, deadline: .farAway) } }
                return await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            #expect(answers == Array(repeating: true, count: 100))
            #expect(server.requests.count == 2)
            #expect(await provider.replace(refused, deadline: .farAway))
            #expect(server.requests.count == 2)
        }
    }

    @Test("Who waits for credentials waits no longer than its deadline, and gives up when it is cancelled")
    func deadline() async throws {
        try await Self.with { source, provider, server async throws in
            source.gate.withLock { $0 = [] }
            let found = await CannedS3.outcome { _ = try await provider.current(deadline: .soon) }
            #expect(found == "deadlineExceeded")
            let task = Task { await CannedS3.outcome { _ = try await provider.current(deadline: CannedS3.tooFar) } }
            task.cancel()
            #expect(await task.value == "deadlineExceeded")
            source.gate.withLock { gate in
                for signal in gate ?? [] { signal.open() }
                gate = nil
            }
        }
    }
}
