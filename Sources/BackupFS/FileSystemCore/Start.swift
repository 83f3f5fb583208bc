// From an opened catalogue to a running file system and back. What a start finds unfinished is in Repair.swift; files that
// main held before BackupFS came are in Adoption.swift.

import CLinux
import Catalogue
import Foundation
import Glibc
import Logging

/// The keys of what the catalogue remembers about itself.
enum Setting {
    /// The catalogue's own name, the same for ever; also in the prefix's marker.
    static let catalogue = "catalogue"
    /// Set once the prefix was claimed: backup storage has been reached at least once.
    static let claimed = "claimed"
    /// Set once the files that main held at first are in the catalogue.
    static let adopted = "adopted"
    /// The lowest and highest number of an adopted resource.
    static let firstAdopted = "adopted.first"
    static let lastAdopted = "adopted.last"
    /// The kernel's boot that the catalogue was last used under.
    static let boot = "boot"
    /// The time (nanoseconds since 1970) up to which main is known to be on its disk.
    static let checkpoint = "checkpoint"
    /// `yes` after a stop that left nothing unfinished.
    static let cleanStop = "clean"
}

extension BackupFileSystem {
    /// Gives a new catalogue its name and its root directory.
    func establish() throws(FileSystemError) {
        guard try read({ reader throws(CatalogueError) in try reader.setting(Setting.catalogue) }) == nil else {
            return
        }
        let status = try main.root.status()
        let root = NewAttributes(mode: UInt32(status.st_mode) & 0o7777, uid: status.st_uid, gid: status.st_gid)
        let name = UUID().uuidString.lowercased()
        try change(.powerLoss) { writer throws(CatalogueError) in
            try writer.createRoot(root, now: currentTime())
            try writer.set(Setting.catalogue, to: name)
        }
    }

    /// Whether this catalogue has never had its backup storage: without it there is nothing to mount.
    package var isNew: Bool {
        get throws(FileSystemError) {
            try read { reader throws(CatalogueError) in try reader.setting(Setting.claimed) } == nil
        }
    }

    /// Repairs what the last run left unfinished, adopts what main holds at the first mount, and starts the background.
    ///
    /// Nothing here asks backup storage.
    package func start() throws(FileSystemError) {
        try main.emptyStaging()
        main.reserve.establish()
        let last = try read { reader throws(CatalogueError) in
            (
                boot: try reader.setting(Setting.boot), clean: try reader.setting(Setting.cleanStop),
                adopted: try reader.setting(Setting.adopted)
            )
        }
        if last.clean != "yes", last.boot != nil {
            do throws(CatalogueError) { try catalogue.checkIntegrity() } catch { throw .catalogue(error) }
        }
        let boot = Self.bootIdentifier()
        try repair(mainMayBeTorn: last.clean != "yes" && last.boot != nil && last.boot != boot)
        pass("start.repaired")
        try change(.powerLoss) { writer throws(CatalogueError) in
            try writer.set(Setting.boot, to: boot)
            try writer.set(Setting.cleanStop, to: "no")
        }
        if last.adopted == nil { try adoptMain() }
        startBackground()
    }

    /// Waits at most `timeout` for what is under way, ships the journal, and closes the catalogue.
    ///
    /// What is not finished then is recorded and goes on at the next start.
    package func shutdown(timeout: Duration) async {
        let deadline = ContinuousClock.now + timeout
        let isQuiet = await background.stop(until: deadline)
        _ = await upkeep.stop(until: deadline)
        finishIntents()
        do throws(FileSystemError) {
            if background.storeState.isReachable { try await syncJournal(deadline: deadline) }
        } catch {
            logger.warning("the journal is shipped at the next start", metadata: ["error": "\(error)"])
        }
        pass("stop.quiet")
        do throws(CatalogueError) {
            // What programs wrote and never had acknowledged must be on the disk, or the next start may not trust it.
            if isQuiet, backupfs_sync_file_system(main.root.number) == 0 {
                pass("stop.synced")
                try await catalogue.changeLater(.powerLoss) { writer throws(CatalogueError) in
                    try writer.set(Setting.cleanStop, to: "yes")
                }
                try catalogue.close()
            }
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
