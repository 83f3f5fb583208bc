// A store that does what bad servers and networks do, in front of a store that does not.

import ObjectStorage
import Synchronization

/// What happens to a request.
package enum StoreFault: Sendable {
    /// It fails with this error and never reaches the store behind.
    case fail(ObjectStoreError)
    /// Nobody answers: it ends with `.deadlineExceeded` at its deadline.
    case hang
    /// The store behind does it, then the answer is lost: `.unreachable`.
    case loseAnswer
    /// One of the bytes that arrive is another one, unnoticed; a request that is not a `get` fails with `.corrupted`.
    case corrupt
    /// One of the bytes that were read is changed in the file after they were digested; nothing happens to other requests.
    case changeUnnoticed
    /// It waits at the gate, then goes on; `.deadlineExceeded` if the gate stays shut until its deadline.
    case hold(Gate)
    /// The store behind does it, then the answer waits at the gate; `.deadlineExceeded` as above.
    case holdAnswer(Gate)
    /// It goes when it is the turn of this owner.
    case inTurn(Turns, owner: Int)
}

/// An object store with faults that tests set while it runs.
package final class FaultyStore: ObjectStore {
    /// A fault that was set: counts the requests that it met.
    package final class Rule: Sendable {
        fileprivate let fault: StoreFault
        fileprivate let methods: Set<StoreMethod>
        fileprivate let keys: KeyPattern
        private let limit: Int
        private let passing: Int
        private let met = Mutex(0)

        fileprivate init(
            _ fault: StoreFault, _ methods: Set<StoreMethod>, _ keys: KeyPattern, limit: Int, passing: Int
        ) {
            self.passing = passing
            self.fault = fault
            self.methods = methods
            self.keys = keys
            self.limit = limit
        }

        /// How many requests met the fault.
        package var hits: Int { max(0, met.withLock { $0 } - passing) }

        fileprivate func meets(_ method: StoreMethod, _ key: String) -> Bool {
            guard methods.contains(method), keys.matches(key) else { return false }
            return met.withLock { met in
                guard met < limit else { return false }
                met += 1
                return met > passing
            }
        }
    }

    private let inner: any ObjectStore
    /// Guards the faults; the lock of a rule is taken inside it.
    private let rules = Mutex<[Rule]>([])
    private let largest = Mutex<Int64?>(nil)

    package init(_ inner: any ObjectStore) {
        self.inner = inner
    }

    package var location: String { inner.location }
    package var kind: StoreKind { inner.kind }
    package var proof: String? { inner.proof }
    package var outage: ObjectStoreError? { inner.outage }
    package var largestObject: Int64 { largest.withLock { $0 } ?? inner.largestObject }

    /// Takes no objects of more bytes from now on.
    package func takes(atMost bytes: Int64) { largest.withLock { $0 = bytes } }

    package func digestPlan(length: Int64) -> DigestPlan { inner.digestPlan(length: length) }
    package var streaming: StreamOffer? { inner.streaming }
    package func use(_ recorder: any UploadRecorder) { inner.use(recorder) }

    package func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? {
        try await run(.put, key, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.beginStream(key, attributes, as: call, deadline: deadline)
        }
    }

    package func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation {
        try await run(.put, key, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.create(key, bytes, attributes, deadline: deadline)
        }
    }

    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        try await inner.ancestor(holding: key, deadline: deadline)
    }

    package func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int {
        try await inner.abortUnfinished(deadline: deadline)
    }

    /// Sets a fault for the next `count` requests of these kinds whose keys match; the oldest that fits wins.
    @discardableResult
    package func inject(
        _ fault: StoreFault, on methods: Set<StoreMethod> = Set(StoreMethod.allCases), keys: KeyPattern = .any,
        count: Int = .max, after passing: Int = 0
    ) -> Rule {
        let limit = count.addingReportingOverflow(passing)
        let rule = Rule(fault, methods, keys, limit: limit.overflow ? .max : limit.partialValue, passing: passing)
        rules.withLock { $0.append(rule) }
        return rule
    }

    /// Takes all faults away; opens no gate.
    package func heal() {
        rules.withLock { $0 = [] }
    }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await run(.check, "", deadline) { () async throws(ObjectStoreError) in
            try await self.inner.check(deadline: deadline)
        }
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await put(key, body, attributes, as: .triedOnce, deadline: deadline)
    }

    package func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, as call: StoreCall,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        try await run(.put, key, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.put(key, body, attributes, as: call, deadline: deadline)
        }
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        try await get(key, into: descriptor, limit: limit, as: .triedOnce, deadline: deadline)
    }

    package func get(
        _ key: String, into descriptor: Int32, limit: Int64, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary {
        let wasDamaged = Mutex(false)
        var summary = try await run(
            .get, key, deadline,
            damaging: { isDigested throws(ObjectStoreError) in
                try Self.damage(LocalFile(descriptor))
                wasDamaged.withLock { $0 = isDigested }
            },
            { () async throws(ObjectStoreError) in
                try await self.inner.get(key, into: descriptor, limit: limit, as: call, deadline: deadline)
            })
        if wasDamaged.withLock({ $0 }) {
            let length = max(1, summary.size)
            summary.sha256 = try ContentDigests(ofFile: descriptor, length: length, .content).sha256
        }
        return summary
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        try await run(.head, key, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.head(key, deadline: deadline)
        }
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await run(.delete, key, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.delete(key, deadline: deadline)
        }
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        try await run(.list, prefix, deadline) { () async throws(ObjectStoreError) in
            try await self.inner.list(prefix: prefix, after: key, deadline: deadline)
        }
    }

    private func run<Answer: Sendable>(
        _ method: StoreMethod, _ key: String, _ deadline: ContinuousClock.Instant,
        damaging damage: ((Bool) throws(ObjectStoreError) -> Void)? = nil,
        _ request: @Sendable () async throws(ObjectStoreError) -> Answer
    ) async throws(ObjectStoreError) -> Answer {
        let rule = rules.withLock { rules in rules.first { $0.meets(method, key) } }
        switch rule?.fault {
        case nil:
            return try await request()
        case .fail(let error):
            throw error
        case .hang:
            try? await Task.sleep(until: deadline, clock: .continuous)
            throw .deadlineExceeded(reason: "no answer")
        case .loseAnswer:
            _ = try await request()
            throw .unreachable(reason: "the answer was lost")
        case .corrupt:
            guard let damage else { throw .corrupted(key: key, reason: "injected") }
            let answer = try await request()
            try damage(true)
            return answer
        case .changeUnnoticed:
            let answer = try await request()
            try damage?(false)
            return answer
        case .hold(let gate):
            guard await gate.pass(deadline: deadline) else { throw .deadlineExceeded(reason: "held") }
            return try await request()
        case .holdAnswer(let gate):
            let answer = try await request()
            guard await gate.pass(deadline: deadline) else { throw .deadlineExceeded(reason: "the answer was held") }
            return answer
        case .inTurn(let turns, let owner):
            await turns.take(owner)
            defer { turns.done() }
            return try await request()
        }
    }

    /// Flips a bit of the first byte; an empty file gets one byte.
    private static func damage(_ file: LocalFile) throws(ObjectStoreError) {
        var byte: UInt8 = 0
        var failure: ObjectStoreError?
        withUnsafeMutableBytes(of: &byte) { buffer in
            do throws(ObjectStoreError) {
                _ = try file.read(at: 0, into: buffer)
                buffer[0] ^= 1
                try file.write(UnsafeRawBufferPointer(buffer), at: 0)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
