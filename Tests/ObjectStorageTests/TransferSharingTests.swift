import Linux
import Testing

@testable import ObjectStorage

@Suite("Transfers and bandwidth are shared")
struct TransferSharingTests {
    private typealias Lane = S3Request.Lane

    private static func submission(_ id: UInt64, _ lane: Lane) -> TransferLoop.Submission {
        TransferLoop.Submission(
            id: id, request: S3Request(method: .get, lane: lane, key: "k", path: "/k"), deadline: .farAway,
            sign: { _ in preconditionFailure("a queue signs nothing") }, outcome: OneShot())
    }

    private static func started(_ queue: inout TransferQueue) -> [Lane] {
        var lanes: [Lane] = []
        while let next = queue.next() { lanes.append(next.request.lane) }
        return lanes
    }

    private static func add(_ count: Int, _ lane: Lane, to queue: inout TransferQueue) {
        for id in 0..<count { queue.add(submission(UInt64(id), lane)) }
    }

    @Test("Parts alone get half of the transfers, and three quarters in both directions together")
    func partsAlone() {
        var queue = TransferQueue(total: 16)
        Self.add(100, .writePart, to: &queue)
        #expect(Self.started(&queue) == Array(repeating: .writePart, count: 8))
        Self.add(100, .readPart, to: &queue)
        #expect(Self.started(&queue) == Array(repeating: .readPart, count: 4))
    }

    @Test("With small uploads waiting or running, parts get a quarter; small ones start at once and first")
    func partsAndSmall() {
        var queue = TransferQueue(total: 16)
        Self.add(100, .writePart, to: &queue)
        #expect(Self.started(&queue).count == 8)
        Self.add(5, .write, to: &queue)
        #expect(Self.started(&queue) == Array(repeating: .write, count: 5))
        for _ in 1...4 { queue.finished(.writePart) }
        #expect(Self.started(&queue) == [])
        queue.finished(.writePart)
        #expect(Self.started(&queue) == [.writePart])
        for _ in 1...5 { queue.finished(.write) }
        #expect(Self.started(&queue) == Array(repeating: .writePart, count: 4))
    }

    @Test("However few transfers there are, each kind gets one, and parts leave one", arguments: 2...5)
    func few(total: Int) {
        for lane in Lane.allCases {
            var queue = TransferQueue(total: total)
            Self.add(100, lane, to: &queue)
            let count = Self.started(&queue).count
            #expect(count >= 1 && count < total)
            Self.add(1, lane == .read ? .write : .read, to: &queue)
            #expect(Self.started(&queue).count == 1)
        }
    }

    @Test("Bytes are granted at the rate, and what was not used is given back")
    func rate() {
        let start = ContinuousClock.now
        var bandwidth = Bandwidth(rate: 1_000_000, now: start)
        #expect(bandwidth.quantum == 20_000)
        #expect(bandwidth.wait(now: start) == nil)
        var granted = 0
        for step in 0..<1000 {
            bandwidth.ask(1, isPart: false)
            granted += bandwidth.grants(now: start + .milliseconds(step * 10)).count * bandwidth.quantum
        }
        // 9.99 seconds, and the burst at the start.
        #expect((9_960_000...10_030_000).contains(granted))
        bandwidth.ask(1, isPart: false)
        #expect(bandwidth.grants(now: start + .milliseconds(9991)) == [])
        bandwidth.end(1, unused: bandwidth.quantum)
        bandwidth.ask(2, isPart: false)
        #expect(bandwidth.grants(now: start + .milliseconds(9991)) == [2])
    }

    @Test("Small objects come first, and parts are not starved")
    func order() {
        let start = ContinuousClock.now
        var bandwidth = Bandwidth(rate: 1_000_000, now: start)
        var order: [UInt64] = []
        for step in 1...8 {
            for id in 1...3 { bandwidth.ask(UInt64(id), isPart: false) }
            bandwidth.ask(9, isPart: true)
            order += bandwidth.grants(now: start + .milliseconds(step * 20)).prefix(1)
        }
        #expect(order.count { $0 == 9 } == 2)
        #expect(Set(order) == [1, 2, 3, 9])
    }

    @Test("The time until the next grant is what the rate needs for it")
    func waiting() {
        let start = ContinuousClock.now
        var bandwidth = Bandwidth(rate: 100_000, now: start)
        bandwidth.ask(1, isPart: true)
        #expect(bandwidth.grants(now: start) == [1])
        bandwidth.ask(1, isPart: true)
        let wait = bandwidth.wait(now: start) ?? .zero
        #expect(wait > .milliseconds(40) && wait < .milliseconds(42))
        #expect(bandwidth.grants(now: start + .milliseconds(40)) == [])
        #expect(bandwidth.grants(now: start + .milliseconds(42)) == [1])
    }

    @Test("A transfer that got more than its share waits until that is made good")
    func share() {
        var share = BandwidthShare(isLimited: true)
        let mayStart = share.mayMove
        #expect(!mayStart && share.isStarved)
        let goesOn = share.grant(1000)
        #expect(goesOn && !share.isStarved)
        let taken = share.take(atMost: 5000)
        #expect(taken == 1000)
        _ = share.grant(1000)
        share.charge(2500)
        let mayGoOn = share.mayMove
        let isEnough = share.grant(1000)
        #expect(!mayGoOn && !isEnough && share.isStarved)
        let isEnoughNow = share.grant(1000)
        #expect(isEnoughNow)
        var free = BandwidthShare(isLimited: false)
        let mayMove = free.mayMove
        let all = free.take(atMost: 5000)
        #expect(mayMove && all == 5000)
    }

    @Test("With a limit, objects large and small come and go unharmed", .timeLimit(.minutes(40)))
    func limitedTransfers() async throws {
        let bucket = CannedBucket()
        let options = StoreOptions(partSize: 5 << 20, bandwidthLimit: 40 << 20)
        try await bucket.with(options: options, proof: UploadProof(refusesWrongMD5: true)) { store, _ in
            try await withThrowingTaskGroup { group in
                for (number, size) in [11 << 20, 300_000, 0, 70_000, 200_000].enumerated() {
                    group.addTask {
                        let bytes = largeBytes(size)
                        let source = try TemporaryFile(bytes)
                        let target = try TemporaryFile()
                        try await store.put("\(number)", try source.body(), ObjectAttributes(), deadline: .farAway)
                        _ = try await store.get(
                            "\(number)", into: target.descriptor, limit: Int64(size), deadline: .farAway)
                        #expect(try target.contents == bytes)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
