// The second half of the read scenario: Read.4 to Read.7. A file whose main copy is missing is fetched once, however
// many wait for it, verified against the checksum in its row, and only then given its name in main. Nobody waits for the
// disk: until main is synced the row does not vouch for the copy (UnsyncedCopies).

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage

/// Brings main copies back from backup, and verifies those that are there.
final class Recoverer: StorageStep {
    let storages: Storages
    private let claim: PrefixClaim
    private let counters: Counters
    private let logger: Logger

    init(storages: Storages, claim: PrefixClaim, counters: Counters, logger: Logger) {
        self.storages = storages
        self.claim = claim
        self.counters = counters
        self.logger = logger
    }

    /// How often storing a recovered file in main is tried (Read.6).
    private static let recoveryAttempts = 3

    /// Brings the main copy back; returns at once if it is there.
    ///
    /// Waits as long as the object comes: the store ends it when nothing has come for long enough.
    func recover(_ file: FileState) async throws(FileSystemError) {
        let size = (try? catalogue.row(file.id).size) ?? 0
        let deadline = settings.deadline(size: size)
        try await files.once(file, .recovery, unless: \.hasCopy, deadline: .now + FileSystemSettings.forEver) {
            () async throws(FileSystemError) in
            do throws(FileSystemError) {
                try await self.fetch(file, deadline: deadline)
                self.counters.add(\.recoveriesDone)
                self.logger.notice("a file was recovered from backup", metadata: ["inode": "\(file.id.rawValue)"])
            } catch {
                self.counters.add(\.recoveriesFailed)
                self.logger.error(
                    "a file could not be recovered", metadata: ["inode": "\(file.id.rawValue)", "error": "\(error)"])
                throw error
            }
        }
    }

    private func fetch(_ file: FileState, deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        var lastError = FileSystemError.inNoStorage
        for _ in 1...Self.recoveryAttempts {
            // Somebody else has opened or brought it.
            guard case .missing(let missing) = file.content({ $0.presence }) else { return }
            let row = try catalogue.row(file.id)
            // What arrived in backup last, though no row says so (any more): its close may have returned.
            if row.needsUpload, try await fetchBegun(file, row, deadline: deadline) { return }
            if try keepsMainCopy(file, row) { return }
            // Read.4: does the row say backup?
            guard row.inBackup, let version = try catalogue.storedVersion(of: row) else { throw .inNoStorage }
            do throws(FileSystemError) {
                if try await !adoptMainCopy(file, row, version, deadline: deadline) {
                    try await fetchOnce(file, row, version, deadline: deadline)
                }
                if row.needsUpload { try await noteLostChange(file, missing) }
                return
            } catch .backup(.notFound) {
                // Read.7: a valid resource that no storage has. Only our own prefix can say so, twice, and only of the
                // version that the row still names: one that was replaced meanwhile is gone for a good reason.
                try await claim.confirm(deadline: deadline)
                if try await isInBackup(version, deadline: deadline) {
                    lastError = .backup(.unreachable(reason: "an object was there and was not"))
                    continue
                }
                let isLost = try await catalogue.changeLater(
                    .powerLoss, .loseVersion(version, error: "no storage has the file"))
                if isLost { throw .inNoStorage }
            } catch .backup(.corrupted(let key, let reason)) {
                lastError = .backup(.corrupted(key: key, reason: reason))
            } catch .main(let code, let operation) {
                lastError = .main(errno: code, during: operation)
            }
        }
        throw lastError
    }

    /// Brings back a content whose upload was begun, if it arrived: its close may have returned, and only the commit that
    /// said so been lost with the power.
    ///
    /// Somebody else's recovery of the file, which does the same first, is waited for. Returns nil if it did not arrive.
    func recoverBegunUpload(
        _ file: FileState, _ row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Descriptor? {
        try await files.once(file, .recovery, unless: \.hasCopy, deadline: deadline) {
            () async throws(FileSystemError) in _ = try await self.fetchBegun(file, row, deadline: deadline)
        }
        return file.descriptor
    }

    private func fetchBegun(
        _ file: FileState, _ row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        guard let begun = try catalogue.begunUpload(row.id) else { return false }
        do throws(FileSystemError) {
            try await fetchOnce(file, row, begun, deadline: deadline)
        } catch .backup(.notFound) {
            return false
        } catch .backup(.corrupted) {
            return false
        }
        return file.descriptor != nil
    }

    /// What was being sent before a power cut did not arrive, so nobody was told that it is kept: what main has is the file.
    private func keepsMainCopy(_ file: FileState, _ row: Resource) throws(FileSystemError) -> Bool {
        guard try catalogue.isUndecided(row), let copy = try tree.mainCopy(row) ?? nil else { return false }
        try catalogue.change(.processCrash, .markInMain(row.id, inode: UInt64(copy.status().st_ino)))
        file.offer(copy, .verified)
        return true
    }

    /// What was written and not backed up is gone with the main copy: the version that was brought back is the file, and no
    /// upload may pass it off as what was written.
    ///
    /// `missing` is from before the copy was looked for.
    func noteLostChange(
        _ file: FileState, _ missing: Content<Descriptor>.Missing
    ) async throws(FileSystemError) {
        let id = file.id
        let isLost = try await catalogue.changeLater(
            .processCrash,
            .loseChange(
                id, error: "a change was lost with its main copy before it was backed up", now: currentTime()
            ) {
                // A write that came since is waiting for its upload.
                file.content { $0.changeLosing(missing) }
            })
        guard isLost else { return }
        file.content { $0.changeLost(missing) }
        catalogue.work.wake()
        files.contentChanged(id)
        counters.add(\.changesLost)
        logger.error(
            "main lost a change before it was backed up; the version in backup is the file now",
            metadata: ["inode": "\(id.rawValue)"])
    }

    func isInBackup(_ version: Version, deadline: ContinuousClock.Instant) async throws(FileSystemError) -> Bool {
        do throws(ObjectStoreError) {
            return try await store.head(version.key, deadline: deadline) != nil
        } catch {
            throw .backup(error)
        }
    }

    /// Read.5 and Read.6.
    func fetchOnce(
        _ file: FileState, _ row: Resource, _ version: Version, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) {
        let directory = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in entry.directory }
        let staged = try main.stage("recover", for: directory)
        defer { main.removeStaged(staged) }
        do throws(ObjectStoreError) {
            try await store.get(version, into: staged.descriptor.number, deadline: deadline)
            health.note(nil)
        } catch {
            if error.meansUnreachable { health.note(error) }
            if case .localFile(let code) = error { throw .main(errno: code, during: "storing a recovered file") }
            throw .backup(error)
        }
        try main.setAttributes(
            of: staged.descriptor, mode: try tree.forMain(row).mode, uid: row.uid, gid: row.gid,
            accessed: row.accessed.timespec,
            modified: row.modified.timespec)
        try reach("recover.fetched")
        let isPlaced = try placeInMain(file, staged)
        // Deleted, and still open: its programs read on, main gets nothing.
        if !isPlaced { file.offer(staged.descriptor, .compared) }
    }

    /// Gives a complete file in staging all names of the resource in main, unless main has got another copy meanwhile (a
    /// program has emptied the file: that is the newer content).
    ///
    /// Returns false if the resource has no name (any more).
    func placeInMain(_ file: FileState, _ staged: StagedFile) throws(FileSystemError) -> Bool {
        let places = try catalogue.locations(of: file.id)
        var isPlaced = false
        for (index, place) in places.enumerated() {
            let mayGoOn = try tree.atName(of: file.id, place) { (entry) throws(FileSystemError) in
                guard isPlaced || file.descriptor == nil else { return false }
                if let found = try main.status(entry) {
                    // Another name of the new copy, made by a link at the same time.
                    if found.st_ino == (try staged.descriptor.status().st_ino) { return true }
                    try tree.clearTheWay(entry)
                }
                if index == places.count - 1 {
                    try main.place(staged, entry)
                } else {
                    try main.link(staged.descriptor, entry)
                }
                pass("recover.placed")
                if !isPlaced { try noteMainCopy(file, staged.descriptor) }
                isPlaced = true
                return true
            }
            if mayGoOn == false { return true }
        }
        return isPlaced
    }

    /// Takes what main has under one of the names although the row says it has not, if it is the version's very content,
    /// and gives it the names that are missing.
    private func adoptMainCopy(
        _ file: FileState, _ row: Resource, _ version: Version, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        let places = try catalogue.locations(of: row.id)
        var adopted: Descriptor?
        for place in places where adopted == nil {
            let found = try tree.atName(of: row.id, place) { (entry) throws(FileSystemError) in
                try main.openFile(entry, writing: false)
            }
            // Compared with no name held still: others need them meanwhile.
            guard let candidate = found ?? nil, try await hasContent(candidate, of: version, deadline: deadline)
            else { continue }
            let inode = try candidate.status().st_ino
            let isTaken = try tree.atName(of: row.id, place) { (entry) throws(FileSystemError) in
                if file.descriptor != nil { return true }
                guard try main.status(entry)?.st_ino == inode else { return false }
                try noteMainCopy(file, candidate)
                adopted = candidate
                return false
            }
            if isTaken == true { return true }
        }
        guard let adopted else { return file.descriptor != nil }
        try tree.nameEverywhere(adopted, row.id, places)
        return true
    }

    private func noteMainCopy(_ file: FileState, _ copy: Descriptor) throws(FileSystemError) {
        try tree.noteCopy(copy, of: catalogue.row(file.id))
        file.offer(copy, .compared)
    }
}
