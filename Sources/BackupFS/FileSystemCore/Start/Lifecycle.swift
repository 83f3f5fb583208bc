// From an opened catalogue to a running file system and back. What a start finds unfinished is in Repairer.swift; files that
// main held before BackupFS came are in Adopter.swift.

import Catalogue
import Foundation
import Glibc
import Logging
import Synchronization

/// Starts and ends the work of a file system.
final class Lifecycle: Sendable {
    private let catalogue: CatalogueClient
    private let main: MainStorage
    let repairer: Repairer
    let scheduler: Scheduler
    private let intents: IntentKeeper
    private let journal: JournalShipper
    private let health: StoreHealth
    private let logger: Logger
    private let torn = Atomic(false)

    /// Whether the start found that main may have lost what was not synced.
    var mainWasTorn: Bool { torn.load(ordering: .relaxed) }

    init(
        repairer: Repairer, scheduler: Scheduler, intents: IntentKeeper, journal: JournalShipper, health: StoreHealth,
        logger: Logger
    ) {
        catalogue = repairer.catalogue
        main = repairer.main
        self.repairer = repairer
        self.scheduler = scheduler
        self.intents = intents
        self.journal = journal
        self.health = health
        self.logger = logger
    }

    /// Gives a new catalogue its name and its root directory.
    static func establish(_ catalogue: CatalogueClient, _ main: MainStorage) throws(FileSystemError) {
        guard try catalogue.setting(Setting.catalogue) == nil
        else { return }
        let status = try main.root.status()
        let root = NewAttributes(mode: UInt32(status.st_mode) & 0o7777, uid: status.st_uid, gid: status.st_gid)
        let name = UUID().uuidString.lowercased()
        try catalogue.change(.powerLoss, .establish(root, name: name, now: currentTime()))
    }

    /// Repairs what the last run left unfinished, adopts what main holds at the first mount, and starts the background.
    ///
    /// Nothing here asks backup storage.
    func start() throws(FileSystemError) {
        try main.emptyStaging()
        main.reserve.establish()
        let last = (
            boot: try catalogue.setting(Setting.boot), mount: try catalogue.setting(Setting.mount),
            clean: try catalogue.setting(Setting.cleanStop), synced: try catalogue.setting(Setting.mainSynced),
            adopted: try catalogue.setting(Setting.adopted)
        )
        if last.clean != "yes", last.boot != nil {
            try catalogue.checkIntegrity()
        }
        let boot = Self.bootIdentifier()
        let mount = main.mountIdentifier()
        // Without a reboot a disk can go and come back, too.
        let isOtherCache = last.boot != boot || last.mount != mount
        let mainMayBeTorn = last.synced != "yes" && last.boot != nil && isOtherCache
        torn.store(mainMayBeTorn, ordering: .relaxed)
        try repairer.repair(
            mainMayBeTorn: mainMayBeTorn,
            isUnclean: last.synced != "yes" && last.boot != nil, isAdopted: last.adopted != nil)
        pass("start.repaired")
        try catalogue.change(
            .powerLoss,
            .set([
                Setting.boot: boot, Setting.mount: mount, Setting.cleanStop: "no", Setting.mainSynced: "no",
            ]))
        if last.adopted == nil { try repairer.adopter.adoptMain() }
        scheduler.start()
    }

    /// Waits at most `timeout` for what is under way, ships the journal, and closes the catalogue.
    ///
    /// What is not finished then is recorded and goes on at the next start. With backup storage down nothing is waited for.
    func shutdown(timeout: Duration) async {
        let patience = health.isAnswering ? timeout : min(timeout, .seconds(1))
        let deadline = ContinuousClock.now + patience
        let isQuiet = await scheduler.stop(until: deadline)
        intents.finish()
        do throws(FileSystemError) {
            if health.isAnswering { try await journal.sync(deadline: deadline) }
        } catch {
            logger.warning("the journal is shipped at the next start", metadata: ["error": "\(error)"])
        }
        pass("stop.quiet")
        do throws(FileSystemError) {
            // What programs wrote and never had acknowledged is on the disk from here on, whatever the uploads do.
            try repairer.tree.sync()
            pass("stop.synced")
            var settings = [Setting.mainSynced: "yes"]
            if isQuiet { settings[Setting.cleanStop] = "yes" }
            try await catalogue.changeLater(.powerLoss, .set(settings))
            try catalogue.close()
        } catch {
            logger.warning("the catalogue was not closed cleanly", metadata: ["error": "\(error)"])
        }
        logger.notice("stopped", metadata: ["unfinished": "\(!isQuiet)"])
    }

    /// The kernel's name of this boot; page caches of another boot are gone.
    private static func bootIdentifier() -> String {
        #if BACKUPFS_FAILPOINTS
        if let other = getenv("BACKUPFS_BOOT_ID") { return String(cString: other) }
        #endif
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .ascii)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }
}
