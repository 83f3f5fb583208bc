// Reading whole files takes as long as they are long. It has threads of its own, so that no continuation, timer or lookup
// ever waits for it; and it is done in turns, so that a small file never waits for a large one to end.

import Glibc
import Linux
import ObjectStorage
import Synchronization

/// The threads for work that takes in proportion to the bytes of a file.
enum BulkWork {
    private static let threads = BlockingThreads(name: "bulk", width: 4)
    /// Bytes of one turn: about a tenth of a second.
    private static let turn: Int64 = 64 << 20
    /// Up to so many bytes it is done where it is asked for: going to another thread takes as long.
    private static let inPlace: Int64 = 1 << 20

    /// Computes the digests of the first `length` bytes of an open file, turn by turn.
    ///
    /// Throws `.deadlineExceeded` when the deadline comes first, or `isStopped` says so.
    static func digests(
        of file: Descriptor, length: Int64, _ plan: DigestPlan, deadline: ContinuousClock.Instant,
        isStopped: @escaping @Sendable () -> Bool = { false }
    ) async throws(ObjectStoreError) -> ContentDigests {
        guard length > inPlace else { return try ContentDigests(ofFile: file.number, length: length, plan) }
        // Used by one turn at a time, each of which begins when the one before it has ended.
        nonisolated(unsafe) let pass = DigestPass(ofFile: file.number, length: length, plan)
        while true {
            let step = await run { () throws(ObjectStoreError) in try pass.advance(bytes: turn) }
            if let digests = try step.get() { return digests }
            guard ContinuousClock.now < deadline, !isStopped() else {
                throw .deadlineExceeded(reason: "reading the file takes longer")
            }
        }
    }

    /// Runs something that blocks for a while on one of the threads.
    static func run<Value, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> sending Value
    ) async -> Result<Value, Failure> where Value: Sendable {
        await withCheckedContinuation { continuation in
            threads.run {
                do throws(Failure) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }
}
