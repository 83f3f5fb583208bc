import Synchronization

/// Counts since the daemon started.
package final class Counters: Sendable {
    /// The numbers.
    package struct Values: Sendable {
        package var recoveriesDone = 0
        package var recoveriesFailed = 0
        package var uploadsDone = 0
        package var uploadsFailed = 0
        package var removalsFailed = 0
        package var setAside = 0
        package var changesLost = 0
        package var catalogueFailures = 0
        package var journalFailures = 0
    }

    private let values = Mutex(Values())

    func add(_ counter: WritableKeyPath<Values, Int> & Sendable) { values.withLock { $0[keyPath: counter] += 1 } }

    /// The numbers now.
    package var now: Values { values.withLock { $0 } }
}
