// The checksum of what arrives in parts, in whatever order: it is computed from the beginning as far as everything has
// arrived, out of the page cache, while the rest still travels. It has threads of its own: the one that moves the bytes of
// all transfers must not wait for it.

import Glibc
import Linux
import Synchronization

/// SHA-256 of a file while its parts arrive.
final class ArrivalDigest: Sendable {
    private struct State {
        /// Where parts that have arrived begin, and where they end; those that are digested are not in here.
        var parts: [Int64: Int64] = [:]
        /// How far everything has arrived.
        var arrived: Int64 = 0
        var digested: Int64 = 0
        var isRunning = false
        var isGivenUp = false
    }

    /// What one turn may read and digest; used by one turn at a time.
    private struct Pass: @unchecked Sendable {
        // Proof: `isRunning` lets one turn begin after another has ended, and both look at it with the lock held.
        let sha256 = MessageDigest.sha256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    }

    /// Bytes of one turn: other files wait no longer than that takes.
    private static let turn: Int64 = 64 << 20

    /// A descriptor of our own: a turn may still run when nobody waits for it any more.
    private let file: Descriptor
    private let length: Int64
    private let threads: BlockingThreads
    private let pass = Pass()
    private let state = Mutex(State())
    private let outcome = OneShot<Result<[UInt8], ObjectStoreError>>()

    /// A digest of `length` bytes of a file that has this length already.
    init(_ file: Descriptor, length: Int64, threads: BlockingThreads) {
        self.file = file
        self.length = length
        self.threads = threads
    }

    deinit { pass.buffer.deallocate() }

    /// A part is in the file, as it is to be; each part comes once.
    func arrived(_ part: Range<Int64>) {
        let mustStart = state.withLock { state in
            state.parts[part.lowerBound] = part.upperBound
            while let end = state.parts.removeValue(forKey: state.arrived) { state.arrived = end }
            guard !state.isRunning, state.arrived > state.digested else { return false }
            state.isRunning = true
            return true
        }
        if mustStart { threads.run { [self] in runTurn() } }
    }

    /// Nobody needs it any more.
    func giveUp() { state.withLock { $0.isGivenUp = true } }

    /// The digest, once every part has arrived; called once.
    ///
    /// Throws `.deadlineExceeded` if the disk gives nothing for so long.
    func value(patience: Duration) async throws(ObjectStoreError) -> [UInt8] {
        let watch = Task { [self] in
            var last: Int64 = -1
            while true {
                let now = state.withLock { $0.digested }
                guard now > last else { break }
                last = now
                // A day is as good as for ever.
                do { try await Task.sleep(for: min(patience, .seconds(86_400))) } catch { return }
            }
            outcome.decide(.failure(.deadlineExceeded(reason: "the disk did not answer")))
        }
        defer { watch.cancel() }
        return try await outcome.value().get()
    }

    /// What a turn does next.
    private enum Step {
        case digest(Range<Int64>)
        /// There is more, for another turn.
        case yield
        case end
    }

    /// Digests what has arrived; what is left after a turn waits for its next one.
    private func runTurn() {
        let end = state.withLock { $0.digested } + Self.turn
        while true {
            switch next(before: end) {
            case .end: return
            case .yield: return threads.run { [self] in runTurn() }
            case .digest(let stretch):
                do throws(ObjectStoreError) { try digest(stretch) } catch {
                    // No other turn comes: this one has not ended.
                    outcome.decide(.failure(error))
                    return
                }
                state.withLock { $0.digested = stretch.upperBound }
                if stretch.upperBound == length { outcome.decide(.success(pass.sha256.finish())) }
            }
        }
    }

    private func next(before end: Int64) -> Step {
        state.withLock { state in
            guard !state.isGivenUp, state.digested < state.arrived else {
                state.isRunning = false
                return .end
            }
            guard state.digested < end else { return .yield }
            return .digest(state.digested..<min(state.arrived, state.digested + Int64(pass.buffer.count)))
        }
    }

    private func digest(_ stretch: Range<Int64>) throws(ObjectStoreError) {
        let wanted = UnsafeMutableRawBufferPointer(rebasing: pass.buffer[..<stretch.count])
        guard try LocalFile(file.number).read(at: stretch.lowerBound, into: wanted) == wanted.count else {
            throw .localFile(errno: EIO)
        }
        pass.sha256.update(UnsafeRawBufferPointer(wanted))
    }
}
