// Unpacking and reading lines takes as long as putting rows into a database, so that each has a processor of its own.

import Dispatch
import Linux
import Synchronization

/// Reads segments one after the other on a thread of its own, some thousand records ahead of who takes them.
package final class SegmentsAhead: Sendable {
    /// Records that follow each other in one segment.
    package struct Batch: Sendable {
        /// The index of the segment.
        package var segment: Int
        package var records: [JournalRecord]
    }

    /// A segment that could not be read to its end.
    package struct Failure: Error {
        package var segment: Int
        package var error: SegmentError
    }

    private struct State {
        var waiting: [Result<Batch, Failure>] = []
        var isStopped = false
    }

    private static let recordsAtOnce = 1000
    private static let batchesAhead = 16

    private let state = Mutex(State())
    // Begins at 0: one that is given up while it is below its first value stops the program.
    private let free = DispatchSemaphore(value: 0)
    private let ready = DispatchSemaphore(value: 0)

    package init(_ bodies: [SegmentBody]) throws(SystemError) {
        for _ in 0..<Self.batchesAhead { free.signal() }
        try startThread { [self] in
            for (index, body) in bodies.enumerated() {
                do throws(SegmentError) {
                    guard try read(body, index) else { return }
                } catch {
                    _ = give(.failure(Failure(segment: index, error: error)))
                    return
                }
            }
            // An empty one is the end.
            _ = give(.success(Batch(segment: bodies.count, records: [])))
        }
    }

    /// The next records; nil after the last segment's.
    package func next() throws(Failure) -> Batch? {
        ready.wait()
        defer { free.signal() }
        let batch = try state.withLock { $0.waiting.removeFirst() }.get()
        return batch.records.isEmpty ? nil : batch
    }

    /// Ends the thread; has to be called by who takes no more.
    package func stop() {
        state.withLock { $0.isStopped = true }
        free.signal()
    }

    private func read(_ body: SegmentBody, _ index: Int) throws(SegmentError) -> Bool {
        var reader = try SegmentReader(body)
        while true {
            var batch = Batch(segment: index, records: [])
            batch.records.reserveCapacity(Self.recordsAtOnce)
            while batch.records.count < Self.recordsAtOnce, let record = try reader.next() {
                batch.records.append(record)
            }
            if batch.records.isEmpty { return true }
            guard give(.success(batch)) else { return false }
        }
    }

    /// Whether somebody still wants it.
    private func give(_ item: Result<Batch, Failure>) -> Bool {
        free.wait()
        let isWanted = state.withLock { state in
            if !state.isStopped { state.waiting.append(item) }
            return !state.isStopped
        }
        if isWanted { ready.signal() }
        return isWanted
    }
}
