// The file system: plain Swift, tested without a mount. FuseBinding translates each kernel request into one call here.
// What memory, SQLite or the local disk answers is an ordinary function and runs on the caller's thread; what may have
// to wait for backup storage is `async`. What each step of a scenario does is in the folders beside this file.

import Catalogue
import Linux
import Logging
import ObjectStorage

/// One mounted main directory with its catalogue and backup storage.
package final class BackupFileSystem: StorageStep {
    package typealias Settings = FileSystemSettings
    package typealias WhenDown = FileSystemSettings.WhenDown

    let logger: Logger
    let attributeKeeper: AttributeKeeper
    let uploader: Uploader
    let early: EarlyUploads
    let recoverer: Recoverer
    let remover: Remover
    let journal: JournalShipper
    let claim: PrefixClaim
    let lifecycle: Lifecycle
    let desk: OperatorDesk

    /// Opens the catalogue in `main`; `start` must follow.
    package init(
        main: MainStorage, store: any ObjectStore, settings: Settings, logger: Logger
    ) throws(FileSystemError) {
        let counters = Counters()
        let catalogue = CatalogueClient(
            try Self.open(in: main), work: WorkSignal(), syncsNames: settings.syncsNames, counters: counters,
            logger: logger)
        try Lifecycle.establish(catalogue, main)
        store.use(UploadRecord(catalogue: catalogue.catalogue, logger: logger))
        let tree = MainTree(main: main, catalogue: catalogue, counters: counters, logger: logger)
        let files = FileTable()
        let health = StoreHealth(store: store, catalogue: catalogue)
        let intents = IntentKeeper(tree: tree, files: files, catalogue: catalogue, logger: logger)
        self.logger = logger
        claim = PrefixClaim(catalogue: catalogue, store: store, health: health, logger: logger)
        attributeKeeper = AttributeKeeper(
            catalogue: catalogue, tree: tree, files: files, store: store, logger: logger)
        let storages = Storages(
            settings: settings, catalogue: catalogue, tree: tree, files: files, store: store, health: health)
        recoverer = Recoverer(storages: storages, claim: claim, counters: counters, logger: logger)
        early = EarlyUploads(storages: storages, claim: claim, logger: logger)
        uploader = Uploader(
            storages: storages, claim: claim, early: early, recoverer: recoverer, counters: counters, logger: logger)
        remover = Remover(storages: storages, claim: claim, intents: intents, counters: counters, logger: logger)
        journal = JournalShipper(
            settings: settings, catalogue: catalogue, segments: SegmentStore(store, main), health: health,
            claim: claim, counters: counters, logger: logger)
        let compactor = JournalCompactor(
            journal: journal, settings: settings, catalogue: catalogue, counters: counters, logger: logger)
        let slots = BackgroundSlots()
        let scrub = ScrubSchedule(
            scrubber: Scrubber(storages: storages, claim: claim, logger: logger), slots: slots, logger: logger)
        let adopter = Adopter(tree: tree, catalogue: catalogue, logger: logger)
        let aside = AsideKeeper(tree: tree, catalogue: catalogue, adopter: adopter)
        desk = OperatorDesk(
            attributes: attributeKeeper, aside: aside, uploader: uploader, recoverer: recoverer, remover: remover,
            journal: journal, compactor: compactor, scrub: scrub, counters: counters)
        lifecycle = Lifecycle(
            repairer: Repairer(tree: tree, catalogue: catalogue, adopter: adopter, aside: aside, logger: logger),
            scheduler: Scheduler(
                uploads: DueUploads(
                    uploader: uploader, remover: remover, claim: claim, slots: slots, counters: counters,
                    logger: logger),
                removals: DueRemovals(catalogue: catalogue, remover: remover, health: health, counters: counters),
                journal: journal,
                compactor: compactor, scrub: scrub, tree: tree, intents: intents, logger: logger),
            intents: intents, journal: journal, health: health, logger: logger)
    }

    private static func open(in main: MainStorage) throws(FileSystemError) -> any ResourceCatalogue {
        do throws(CatalogueError) {
            return try SQLiteCatalogue(directory: main.privateDirectory.number)
        } catch {
            throw .catalogue(error)
        }
    }

    var storages: Storages { uploader.storages }
    var counters: Counters { uploader.counters }
    var intents: IntentKeeper { remover.intents }

    // MARK: Its life

    /// Whether this catalogue has never had its backup storage: without it there is nothing to mount.
    package var isNew: Bool {
        get throws(FileSystemError) {
            try catalogue.setting(Setting.claimed) == nil
        }
    }

    /// Repairs what the last run left unfinished, adopts what main holds at the first mount, and starts the background.
    ///
    /// Nothing here asks backup storage.
    package func start() throws(FileSystemError) { try lifecycle.start() }

    /// After a power cut: asks backup storage how long the files are that main has lost while they were being sent.
    package func decideUndecided(until deadline: ContinuousClock.Instant) async {
        guard lifecycle.mainWasTorn else { return }
        await UndecidedFiles(storages: storages, recoverer: recoverer).decide(until: deadline)
    }

    /// Waits at most `timeout` for what is under way, ships the journal, and closes the catalogue.
    ///
    /// What is not finished then is recorded and goes on at the next start. With backup storage down nothing is waited for.
    package func shutdown(timeout: Duration) async { await lifecycle.shutdown(timeout: timeout) }

    /// Whether backup storage answered when it was last asked, be it with a request that is not given up yet.
    package var isBackupReachable: Bool { health.isAnswering }

    /// What the commands ask.
    package var operatorDesk: any FileSystemOperator { desk }

    /// It is mounted at `path` now; nil: nowhere any more.
    package func mounted(at path: String?) { desk.mounted(at: path) }

    /// Makes sure that backup storage is there and its prefix is this catalogue's; claims it at the first mount.
    ///
    /// `isNew`: whoever mounts says that there is no backup there yet (`PrefixClaim.claim`).
    package func claimPrefix(
        isNew: Bool = false, deadline: ContinuousClock.Instant
    ) async throws(OwnershipError) {
        try await claim.claim(isNew: isNew, deadline: deadline)
    }

    /// Has `receive` told when the file system itself has changed what a file holds: what the kernel remembers is wrong.
    package func whenContentChanges(_ receive: (@Sendable (ResourceID) -> Void)?) { files.whenContentChanges(receive) }

    /// Where the commands reach this daemon, whatever is mounted over MAIN.
    package var controlPath: String { attributeKeeper.controlPath }
}
