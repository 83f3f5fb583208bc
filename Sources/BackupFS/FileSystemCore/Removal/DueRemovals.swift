// Removals that are due, many with one request, in a task of their own: no upload waits for them, and they for none.

import Catalogue
import ObjectStorage

extension BackupFileSystem {
    /// Objects that are removed with one request.
    private static let removalsAtOnce = 1000

    /// Removes what is due until the background is stopped.
    func runRemovals() async {
        var failedRounds = 0
        while !removal.isStopped {
            let failures = counters.now.catalogueFailures
            let isReachable = background.storeState.isReachable
            let due = try? read { reader throws(CatalogueError) in
                try reader.dueRemovals(now: currentTime(), limit: isReachable ? Self.removalsAtOnce : 1)
            }
            if let due, !due.isEmpty {
                await removeVersions(due)
            } else {
                await removal.sleep(atMost: pauseUntilRemoval())
            }
            failedRounds = counters.now.catalogueFailures > failures ? failedRounds + 1 : 0
            await rest(removal, rounds: failedRounds)
            await restFromOutage(removal)
        }
    }

    private func pauseUntilRemoval() -> Duration {
        let next = try? read { reader throws(CatalogueError) in try reader.nextDueRemoval() }
        guard let due = next ?? nil else { return .seconds(60) }
        return min(.seconds(60), max(.nanoseconds(max(0, due - currentTime())), .milliseconds(20)))
    }
}
