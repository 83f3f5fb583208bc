/// Requests that wait for a transfer of their own, in order, each lane with its share.
///
/// A value without I/O: the loop asks it what to start and tells it what ended.
struct TransferQueue {
    typealias Lane = S3Request.Lane

    private let total: Int
    private var waiting: [Lane: [TransferLoop.Submission]] = [:]
    private var running: [Lane: Int] = [:]
    /// No waiting request has an earlier deadline.
    private(set) var earliestDeadline: ContinuousClock.Instant?

    /// A queue for `total` transfers at once, at least 2.
    init(total: Int) {
        self.total = total
    }

    /// How many transfers one lane may have: never all, so that hanging uploads leave some to recoveries.
    ///
    /// Parts of large objects get few while others have work: what waits behind a part waits for megabytes.
    func share(of lane: Lane) -> Int {
        switch lane {
        case .read, .write: total - reserve
        case .readPart, .writePart: hasSmallWork ? reserve : max(1, total / 2)
        case .upkeep: reserve
        }
    }

    private var reserve: Int { max(1, total / 4) }

    private var hasSmallWork: Bool {
        [Lane.read, .write].contains { running[$0, default: 0] > 0 || waiting[$0]?.isEmpty == false }
    }

    private func mayStart(_ lane: Lane) -> Bool {
        // Large uploads and large recoveries together leave some to small objects, too.
        let parts = running[.readPart, default: 0] + running[.writePart, default: 0]
        return running[lane, default: 0] < share(of: lane) && (!lane.isPart || parts < total - reserve)
    }

    mutating func add(_ submission: TransferLoop.Submission) {
        waiting[submission.request.lane, default: []].append(submission)
        earliestDeadline = min(earliestDeadline ?? submission.deadline, submission.deadline)
    }

    /// The next request that may start now; it counts as running.
    mutating func next() -> TransferLoop.Submission? {
        guard running.values.reduce(0, +) < total else { return nil }
        for lane in Lane.allCases where mayStart(lane) {
            guard waiting[lane]?.isEmpty == false, let first = waiting[lane]?.removeFirst() else { continue }
            running[lane, default: 0] += 1
            return first
        }
        return nil
    }

    /// A running request has ended.
    mutating func finished(_ lane: Lane) {
        running[lane, default: 0] -= 1
    }

    /// Takes out a waiting request; nil if it does not wait.
    mutating func remove(_ id: UInt64) -> TransferLoop.Submission? {
        for lane in Lane.allCases {
            if let index = waiting[lane]?.firstIndex(where: { $0.id == id }) { return waiting[lane]?.remove(at: index) }
        }
        return nil
    }

    /// Takes out all that wait, except probes.
    mutating func removeAllButProbes() -> [TransferLoop.Submission] {
        let removed = waiting.values.flatMap { $0.filter { !$0.request.isProbe } }
        for lane in Lane.allCases { waiting[lane]?.removeAll { !$0.request.isProbe } }
        return removed
    }

    /// Takes out all whose deadline has passed.
    mutating func expire(_ now: ContinuousClock.Instant) -> [TransferLoop.Submission] {
        guard let earliest = earliestDeadline, earliest <= now else { return [] }
        let expired = waiting.values.flatMap { $0.filter { $0.deadline <= now } }
        for lane in Lane.allCases { waiting[lane]?.removeAll { $0.deadline <= now } }
        earliestDeadline = waiting.values.flatMap { $0.map(\.deadline) }.min()
        return expired
    }
}
