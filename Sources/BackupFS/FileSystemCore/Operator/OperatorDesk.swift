// What the commands ask a running file system, and what it does for them.

import Catalogue
import FoundationEssentials
import Linux
import ObjectStorage
import Synchronization

/// A running file system, as its operator sees it.
final class OperatorDesk: FileSystemOperator, StorageStep {
    let storages: Storages
    let aside: AsideKeeper
    private let attributes: AttributeKeeper
    private let uploader: Uploader
    private let recoverer: Recoverer
    private let remover: Remover
    let journal: JournalShipper
    let compactor: JournalCompactor
    private let scrub: ScrubSchedule
    private let counters: Counters
    private let known = Mutex(Known())

    /// What need not be asked again.
    private struct Known {
        /// How many files main held at the first mount, once somebody has asked.
        var adoptedFiles: Int?
        /// Where it is mounted, once it is.
        var mountPoint: String?
    }

    init(
        attributes: AttributeKeeper, aside: AsideKeeper, uploader: Uploader, recoverer: Recoverer, remover: Remover,
        journal: JournalShipper, compactor: JournalCompactor, scrub: ScrubSchedule, counters: Counters
    ) {
        storages = uploader.storages
        self.attributes = attributes
        self.aside = aside
        self.uploader = uploader
        self.recoverer = recoverer
        self.remover = remover
        self.journal = journal
        self.compactor = compactor
        self.scrub = scrub
        self.counters = counters
    }

    /// It is mounted there now.
    func mounted(at path: String?) { known.withLock { $0.mountPoint = path } }

    /// Rows that are read, sent and worked on at a time.
    private static let page = 256

    func status() async throws -> StatusReport {
        let counts = try await catalogue.ask(.counts)
        let counters = counters.now
        return StatusReport(
            place: .init(main: tree.main.path, mountpoint: known.withLock { $0.mountPoint }),
            backup: .init(
                url: store.location, reachable: health.isAnswering, lastError: health.lastError,
                takenOver: journal.claim.takeover),
            resources: .init(creating: counts.creating, created: counts.created, deleted: counts.deleted),
            pending: .init(
                uploads: counts.pendingUploads, removals: counts.pendingRemovals, journal: counts.pendingJournal,
                journalLag: try journal.lag() / .seconds(1)),
            leftovers: counts.leftovers, aside: counts.aside,
            recoveries: .init(done: counters.recoveriesDone, failed: counters.recoveriesFailed),
            failures: .init(
                uploads: counters.uploadsFailed, removals: counters.removalsFailed, setAside: counters.setAside,
                catalogue: counters.catalogueFailures, journal: counters.journalFailures,
                changesLost: counters.changesLost),
            adoption: try await adoption(), objects: try await scrub.lastReport(),
            passthrough: files.backing?.report ?? .init())
    }

    /// How far the files are that main held at the first mount; how many they were is counted once.
    private func adoption() async throws(FileSystemError) -> StatusReport.Adoption {
        let found = try await catalogue.ask(.adoption(known: known.withLock { $0.adoptedFiles }))
        guard let found else { return .init(files: 0, backedUp: 0) }
        known.withLock { $0.adoptedFiles = found.files }
        return .init(files: found.files, backedUp: found.files - found.pending)
    }

    func info(path: [UInt8]) async throws -> ResourceReport {
        let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        let found = try await catalogue.ask(.resource(atPath: names))
        guard let row = found else {
            throw OperatorError(message: "\(displayPath(path)): no such file in the catalogue")
        }
        let version = try catalogue.storedVersion(of: row)
        let shown = row.kind == .file ? try attributes.attributes(of: row).row : row
        return ResourceReport(
            key: displayPath(path), status: .init(row.status), createdAt: date(row.createdAt),
            deletedAt: row.deletedAt.map(date), stored: StoredIn(main: row.inMain, backup: row.inBackup),
            size: shown.size,
            version: try await catalogue.ask(.versionNumber(of: row.id)),
            sha256: version.map { hexadecimal($0.sha256) }, backupKey: version.map { store.fullKey($0.key) },
            lastError: row.lastError)
    }

    func leftovers(
        _ receive: @Sendable ([LeftoverReport]) async throws -> Void
    ) async throws {
        var position: LeftoverPosition? = .start
        // What has not been tried, because something else has to be stored first, waits for the same store.
        let outage = health.isAnswering ? nil : health.lastError
        while let start = position {
            let (found, next) = try await catalogue.ask(.leftovers(from: start, limit: Self.page))
            let rows = found.map { leftover in
                LeftoverReport(
                    key: displayPath(leftover.path), reason: leftover.reason.text,
                    stored: StoredIn(main: leftover.resource.inMain, backup: leftover.resource.inBackup),
                    since: date(leftover.since), lastError: leftover.lastError ?? outage)
            }
            if !rows.isEmpty { try await receive(rows) }
            position = next
        }
        try await setAside { rows in
            try await receive(
                rows.map { row in
                    LeftoverReport(
                        key: row.key, reason: "set aside as \(row.id): \(row.reason)",
                        stored: StoredIn(main: false, backup: false), since: row.since, lastError: nil)
                })
        }
    }

    func clean(
        dryRun: Bool, _ receive: @Sendable ([CleanReport.Step]) async throws -> Void
    ) async throws -> CleanReport {
        var report = CleanReport(uploaded: 0, removed: 0, failed: 0, remaining: 0)
        var position: LeftoverPosition? = .start
        while let start = position {
            let (page, next) = try await catalogue.ask(.leftovers(from: start, limit: Self.page))
            let steps = page.map {
                CleanReport.Step(key: displayPath($0.path), action: $0.reason.action, reason: $0.reason.text)
            }
            if !dryRun {
                await finish(page, &report)
            } else if !steps.isEmpty {
                try await receive(steps)
            }
            try Task.checkCancellation()
            position = next
        }
        report.remaining = try await catalogue.ask(.leftoverCount)
        return report
    }

    /// Does now what a page of leftovers needs, a few at a time.
    private func finish(_ page: [Leftover], _ report: inout CleanReport) async {
        typealias Outcome = (action: CleanReport.Action, succeeded: Bool)
        let outcomes = await withTaskGroup(of: Outcome.self) { group in
            var outcomes: [Outcome] = []
            for (index, leftover) in page.enumerated() {
                if index >= settings.backgroundTransfers, let outcome = await group.next() { outcomes.append(outcome) }
                group.addTask(executorPreference: BlockingExecutor.shared) { [self] in
                    (leftover.reason.action, await finish(leftover))
                }
            }
            for await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        for outcome in outcomes {
            switch (outcome.succeeded, outcome.action) {
            case (false, _): report.failed += 1
            case (true, .upload): report.uploaded += 1
            case (true, .remove): report.removed += 1
            }
        }
    }

    /// Does now what a leftover needs; false if that failed.
    private func finish(_ leftover: Leftover) async -> Bool {
        let row = leftover.resource
        do throws(FileSystemError) {
            switch leftover.reason {
            case .notInBackup, .inNoStorage:
                let file = files.acquire(row.id)
                defer { files.release(file) }
                file.load(try catalogue.row(row.id))
                if leftover.reason == .inNoStorage, let version = try catalogue.storedVersion(of: row),
                    try await recoverer.isInBackup(version, deadline: settings.deadline(size: 0))
                {
                    // The store says otherwise now.
                    try await catalogue.changeLater(.powerLoss, .markInBackup(row.id))
                    return true
                }
                file.content { if !$0.needsUpload { $0.uploadWanted() } }
                try await uploader.backUp(file, deadline: settings.deadline(size: tree.size(file, row)))
                return true
            case .deletedButStored, .supersededVersion, .abandonedVersion:
                if row.status == .deleted { await remover.finishDeletes([row]) }
                try await journal.tellRemovals()
                let versions = try catalogue.unwantedVersions(of: row.id)
                let succeeded = await remover.removeVersions(versions.map { ($0, 0) })
                guard let after = try catalogue.resource(row.id) else { return succeeded }
                return succeeded && (after.status != .deleted || !(after.inMain || after.inBackup))
            }
        } catch {
            return false
        }
    }

    func checkObjects(
        _ receive: @Sendable ([ObjectReport.Finding]) async throws -> Void
    ) async throws -> ObjectReport {
        try await scrub.compareAll(receive)
    }

    func sync(progress: @Sendable (SyncProgress) -> Void) async throws {
        let last = try await catalogue.ask(.waitedFor)
        try await makeUploadsDue(through: last.upload)
        var shown: SyncProgress?
        while true {
            let waiting = try await catalogue.ask(.waiting(for: last))
            let now = SyncProgress(uploads: waiting.uploads, journal: waiting.journal)
            if now != shown { progress(now) }
            shown = now
            if now.remaining == 0 { return }
            catalogue.work.wake()
            // Counting many takes a while; they do not become few at once.
            try await Task.sleep(for: now.remaining > 10_000 ? .seconds(1) : .milliseconds(100))
        }
    }

    /// Uploads that wait for their next attempt need not wait longer.
    private func makeUploadsDue(through last: ResourceID) async throws(FileSystemError) {
        var first = ResourceID(0)
        while true {
            let ids = try await catalogue.ask(.acknowledgedUploads(after: first, through: last, limit: Self.page))
            guard let next = ids.last else { return }
            try await catalogue.changeLater(.processCrash, .postpone(ids, until: currentTime()))
            first = next
        }
    }
}

private func date(_ time: Nanoseconds) -> Date { Date(timeIntervalSince1970: Double(time) / 1e9) }

extension Leftover.Reason {
    /// The reason in words.
    fileprivate var text: String {
        switch self {
        case .notInBackup: "not in backup"
        case .inNoStorage: "in no storage"
        case .deletedButStored: "deleted, still stored"
        case .supersededVersion: "older version still in backup"
        case .abandonedVersion: "upload that was given up may still be in backup"
        }
    }

    /// What `clean` does about it.
    fileprivate var action: CleanReport.Action {
        switch self {
        case .notInBackup, .inNoStorage: .upload
        case .deletedButStored, .supersededVersion, .abandonedVersion: .remove
        }
    }
}

extension ResourceReport.Status {
    fileprivate init(_ status: Resource.Status) {
        switch status {
        case .creating: self = .creating
        case .created: self = .created
        case .deleted: self = .deleted
        }
    }
}
