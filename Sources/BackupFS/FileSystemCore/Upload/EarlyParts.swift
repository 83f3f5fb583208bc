// Which parts of a file that is being written can be sent before its close, as a value: how far the file was written in
// order, which parts were read and sent, and which of them have other bytes by now. Each event has a name and returns what the
// caller has to do. No thread and no I/O is in here, so that a test can try every order in which events can come
// (EarlyPartsTests).
//
// A change is told before it touches the file and once more after it: a part that was read in between may have half of it.

import ObjectStorage

/// The parts of one file that is being written, from its being empty until its close takes them.
struct EarlyParts: Sendable, Hashable {
    /// What is to be done next.
    enum Step: Sendable, Hashable {
        /// The store is to begin an upload in parts.
        case begin
        /// A part is to be read and sent; the first has the number 1.
        case read(Int)
    }

    private enum Phase {
        /// Too little was written yet.
        case waiting
        case beginning
        case running
        /// The close has taken what was sent: nothing more begins.
        case taken
        /// Something failed, or what was sent is not of this file any more.
        case givenUp
    }

    private enum Part {
        case reading
        case sending
        case sent
    }

    /// From how many parts on that were changed after they were read, and were half of all, nothing is gained.
    private static let mostChanged = 16
    /// Stretches that are remembered of a file that is not quite written in order.
    private static let mostStretches = 64

    private let partSize: Int64
    private let threshold: Int64
    private let mostParts: Int
    /// How many parts may be read or sent at once.
    private let width: Int

    private var phase = Phase.waiting
    /// The file was written in order up to here.
    private var frontier: Int64 = 0
    /// What was written behind that, by where it begins.
    private var stretches: [Int64: Int64] = [:]
    /// Those that reading has begun with, from the first one on.
    private var parts: [Part] = []
    /// The numbers of those that have other bytes than were read.
    private var changed: Set<Int> = []
    private var underWay = 0
    private var isReading = false

    init(_ offer: StreamOffer, width: Int) {
        partSize = offer.partSize
        threshold = offer.threshold
        mostParts = offer.mostParts
        self.width = width
    }

    // MARK: What it is

    /// Whether there is something to do.
    var hasStep: Bool {
        switch phase {
        case .waiting: frontier >= threshold
        case .running:
            !isReading && underWay < width && parts.count < mostParts
                && (Int64(parts.count) + 1) * partSize <= frontier
        case .beginning, .taken, .givenUp: false
        }
    }

    /// Nothing of it is of use.
    var isGivenUp: Bool { phase == .givenUp }

    /// Those that the store has as the file has them, when nothing is under way any more.
    var sound: Set<Int> {
        Set((1...max(1, parts.count)).filter { isSent($0) && !changed.contains($0) })
    }

    /// How many parts were sent, or may have been.
    var count: Int { parts.count }

    private func isSent(_ number: Int) -> Bool { number <= parts.count && parts[number - 1] == .sent }

    // MARK: The file

    /// Bytes of the file are about to change, or have just changed.
    mutating func changes(_ range: Range<Int64>) {
        guard !range.isEmpty, !parts.isEmpty else { return }
        let first = Int(range.lowerBound / partSize)
        let last = Int(min(Int64(parts.count), (range.upperBound - 1) / partSize + 1))
        guard first < last else { return }
        for number in (first + 1)...last { changed.insert(number) }
        if changed.count > Self.mostChanged, changed.count > parts.count / 2 { giveUp() }
    }

    /// Bytes were written.
    mutating func wrote(_ range: Range<Int64>) {
        guard range.lowerBound <= frontier else {
            // What is not remembered is sent by the close.
            if stretches.count < Self.mostStretches {
                stretches[range.lowerBound] = max(stretches[range.lowerBound] ?? 0, range.upperBound)
            }
            return
        }
        frontier = max(frontier, range.upperBound)
        while let (start, end) = stretches.first(where: { $0.key <= frontier }) {
            frontier = max(frontier, end)
            stretches[start] = nil
        }
    }

    /// The file has another length.
    mutating func resized(to size: Int64) {
        frontier = min(frontier, size)
        stretches = [:]
        // The server would have parts that the file has not.
        if size < Int64(parts.count) * partSize { giveUp() }
    }

    // MARK: Steps

    /// What is to be done now; it is under way from then on.
    mutating func next() -> Step? {
        guard hasStep else { return nil }
        guard phase == .running else {
            phase = .beginning
            return .begin
        }
        parts.append(.reading)
        isReading = true
        underWay += 1
        return .read(parts.count)
    }

    /// The store has begun an upload; false if it is not wanted any more.
    mutating func began() -> Bool {
        if phase == .beginning { phase = .running }
        return phase == .running || phase == .taken
    }

    /// A part was read; false if it need not be sent, because it has other bytes by now.
    mutating func partRead(_ number: Int) -> Bool {
        isReading = false
        guard phase != .givenUp, !changed.contains(number) else {
            underWay -= 1
            return false
        }
        parts[number - 1] = .sending
        return true
    }

    /// The store has a part.
    mutating func partSent(_ number: Int) {
        underWay -= 1
        parts[number - 1] = .sent
    }

    /// The store does not have a part: that is no failure if the part has changed while it was sent.
    mutating func partFailed(_ number: Int) {
        if parts[number - 1] == .reading { isReading = false }
        underWay -= 1
        if !changed.contains(number) { giveUp() }
    }

    // MARK: The end

    /// The close takes what was sent; nothing more begins.
    ///
    /// False if there is nothing.
    mutating func take() -> Bool {
        switch phase {
        case .beginning, .running: phase = .taken
        case .waiting, .taken, .givenUp: phase = .givenUp
        }
        return phase == .taken
    }

    /// The close itself has begun an upload, and does all of it.
    mutating func beganAtClose() { phase = .taken }

    /// Nobody wants what was sent.
    mutating func giveUp() { phase = .givenUp }
}
