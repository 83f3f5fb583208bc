// What does not have to be done at once: uploads that failed, removals, journal segments, the comparison of the bucket, and
// main's upkeep. Each has a task of its own that looks for what is due, and sleeps until something else is; none waits for
// another.

import Catalogue
import Linux
import Logging

/// Starts and ends the background's tasks.
final class Scheduler: Sendable {
    private let catalogue: CatalogueClient
    private let main: MainStorage
    private let uploads: DueUploads
    private let removals: DueRemovals
    private let journal: JournalShipper
    private let compactor: JournalCompactor
    private let scrub: ScrubSchedule
    private let checkpoint: Checkpoint
    private let intents: IntentKeeper
    private let logger: Logger
    /// The tasks, but those that `catalogue.work` wakes.
    private let own = (
        journal: Pacemaker(), compactor: Pacemaker(), main: Pacemaker(), scrub: Pacemaker()
    )

    init(
        uploads: DueUploads, removals: DueRemovals, journal: JournalShipper, compactor: JournalCompactor,
        scrub: ScrubSchedule, tree: MainTree, intents: IntentKeeper, logger: Logger
    ) {
        catalogue = tree.catalogue
        main = tree.main
        self.uploads = uploads
        self.removals = removals
        self.journal = journal
        self.compactor = compactor
        self.scrub = scrub
        checkpoint = Checkpoint(tree: tree, catalogue: tree.catalogue, logger: logger)
        self.intents = intents
        self.logger = logger
    }

    /// Starts the tasks.
    func start() {
        clampDueTimes()
        journal.releaseRemovals()
        let work = catalogue.work
        work.uploads.run { [uploads] in await uploads.run(work.uploads) }
        work.removals.run { [removals] in await removals.run(work.removals) }
        own.scrub.run { [scrub, own] in await scrub.run(own.scrub) }
        own.journal.run { [journal, own] in await journal.run(own.journal) }
        own.compactor.run { [compactor, own] in await compactor.run(own.compactor) }
        own.main.run { [self] in await keepMainUp(own.main) }
    }

    /// Ends the tasks; false if one of them is not done before `deadline`.
    func stop(until deadline: ContinuousClock.Instant) async -> Bool {
        var isQuiet = true
        for task in [catalogue.work.uploads, catalogue.work.removals, own.scrub, own.compactor, own.journal, own.main]
        where await !task.stop(until: deadline) {
            isQuiet = false
        }
        return isQuiet
    }

    /// How long copies in main that are in backup wait for a sync of main.
    private static let patience = Duration.seconds(30)

    /// What main needs about once a second.
    private func keepMainUp(_ task: Pacemaker) async {
        var nextCheckpoint = ContinuousClock.now
        var checkpointed: Int64?
        var clock = ClockWatch()
        while !task.isStopped {
            if clock.hasGoneBack() {
                logger.warning("the machine's clock has gone back")
                clampDueTimes()
                checkpoint.clockWentBack()
            }
            main.reserve.establish()
            if ContinuousClock.now >= nextCheckpoint {
                nextCheckpoint = .now + .seconds(60)
                checkpointed = checkpoint.takeIfChanged(since: checkpointed)
            }
            intents.finish(patience: Self.patience)
            await task.sleep(atMost: .seconds(1))
        }
    }

    /// Nothing waits longer for its next attempt than the longest delay there is.
    func clampDueTimes() {
        catalogue.recordWork(
            "Clock", .clampDue(to: currentTime() + RetryDelay.longest, limit: StoreHealth.rowsAtOnce)
        ) { [self] isMore in
            if isMore { clampDueTimes() }
        }
    }
}
