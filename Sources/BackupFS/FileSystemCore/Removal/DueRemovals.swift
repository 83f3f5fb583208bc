// Removals that are due, many with one request, in a task of their own: no upload waits for them, and they for none.

import Catalogue

/// The background's removals of objects.
final class DueRemovals: Sendable {
    /// Objects that are removed with one request.
    private static let removalsAtOnce = 1000

    private let catalogue: CatalogueClient
    private let remover: Remover
    private let health: StoreHealth
    private let counters: Counters

    init(catalogue: CatalogueClient, remover: Remover, health: StoreHealth, counters: Counters) {
        self.catalogue = catalogue
        self.remover = remover
        self.health = health
        self.counters = counters
    }

    /// Removes what is due until the background is stopped.
    func run(_ task: Pacemaker) async {
        var failedRounds = 0
        while !task.isStopped {
            let failures = counters.now.catalogueFailures
            let isReachable = health.isReachable
            let due = try? catalogue.dueRemovals(now: currentTime(), limit: isReachable ? Self.removalsAtOnce : 1)
            if let due, !due.isEmpty {
                await remover.removeVersions(due)
            } else {
                await task.sleep(atMost: pause())
            }
            failedRounds = counters.now.catalogueFailures > failures ? failedRounds + 1 : 0
            await task.rest(rounds: failedRounds)
            await health.rest(task)
        }
    }

    private func pause() -> Duration {
        let next = try? catalogue.nextDueRemoval()
        guard let due = next ?? nil else { return .seconds(60) }
        return min(.seconds(60), max(.nanoseconds(max(0, due - currentTime())), .milliseconds(20)))
    }
}
