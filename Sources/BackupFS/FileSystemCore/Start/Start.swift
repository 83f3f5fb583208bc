// From an opened catalogue to a running file system and back. What a start finds unfinished is in Repair.swift; files that
// main held before BackupFS came are in Adoption.swift.

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
    /// The mount of main's file system, by the kernel's number: its page cache is gone with it.
    static let mount = "mount"
    /// The number of the last journal segment that was stored, and of the last that was begun to be sent.
    static let journal = "journal"
    static let journalBegun = "journal.begun"
    /// `yes` after a stop that left nothing unfinished.
    static let cleanStop = "clean"
    /// `yes` after a stop that left all of main on its disk, whatever waited for backup storage then.
    static let mainSynced = "synced"
    /// How far the comparison of the bucket with the catalogue has come (JSON of `ScrubPosition`), and the report of the
    /// last one that was finished.
    static let scrub = "scrub"
    static let scrubReport = "scrub.report"
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
                boot: try reader.setting(Setting.boot), mount: try reader.setting(Setting.mount),
                clean: try reader.setting(Setting.cleanStop), synced: try reader.setting(Setting.mainSynced),
                adopted: try reader.setting(Setting.adopted)
            )
        }
        if last.clean != "yes", last.boot != nil {
            do throws(CatalogueError) { try catalogue.checkIntegrity() } catch { throw .catalogue(error) }
        }
        let boot = Self.bootIdentifier()
        let mount = main.mountIdentifier()
        // Without a reboot a disk can go and come back, too.
        let isOtherCache = last.boot != boot || last.mount != mount
        try repair(
            mainMayBeTorn: last.synced != "yes" && last.boot != nil && isOtherCache,
            isUnclean: last.synced != "yes" && last.boot != nil, isAdopted: last.adopted != nil)
        pass("start.repaired")
        try change(.powerLoss) { writer throws(CatalogueError) in
            try writer.set(Setting.boot, to: boot)
            try writer.set(Setting.mount, to: mount)
            try writer.set(Setting.cleanStop, to: "no")
            try writer.set(Setting.mainSynced, to: "no")
        }
        if last.adopted == nil { try adoptMain() }
        startBackground()
    }

    /// Waits at most `timeout` for what is under way, ships the journal, and closes the catalogue.
    ///
    /// What is not finished then is recorded and goes on at the next start. With backup storage down nothing is waited for.
    package func shutdown(timeout: Duration) async {
        let patience = isBackupReachable ? timeout : min(timeout, .seconds(1))
        let deadline = ContinuousClock.now + patience
        let isQuiet = await stopBackground(until: deadline)
        finishIntents()
        do throws(FileSystemError) {
            if isBackupReachable { try await syncJournal(deadline: deadline) }
        } catch {
            logger.warning("the journal is shipped at the next start", metadata: ["error": "\(error)"])
        }
        pass("stop.quiet")
        do throws(FileSystemError) {
            // What programs wrote and never had acknowledged is on the disk from here on, whatever the uploads do.
            try syncMain()
            pass("stop.synced")
            try await changeLater(.powerLoss) { writer throws(CatalogueError) in
                try writer.set(Setting.mainSynced, to: "yes")
                if isQuiet { try writer.set(Setting.cleanStop, to: "yes") }
            }
            do throws(CatalogueError) { try catalogue.close() } catch { throw .catalogue(error) }
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
