// What the commands ask a running file system, and what it does for them.

import Catalogue
import FoundationEssentials
import ObjectStorage
import Synchronization

extension BackupFileSystem: FileSystemOperator {
    package func status() async throws -> StatusReport {
        let counts = try read { reader throws(CatalogueError) in try reader.counts() }
        let storage = background.storeState
        let counters = counters.now
        let adoption = try adoptionProgress()
        return StatusReport(
            main: main.path, mountpoint: mountPoint.withLock { $0 },
            backup: .init(url: store.location, reachable: storage.isReachable, lastError: storage.lastError),
            resources: .init(creating: counts.creating, created: counts.created, deleted: counts.deleted),
            pending: .init(
                uploads: counts.pendingUploads, removals: counts.pendingRemovals, journal: counts.pendingJournal),
            leftovers: counts.leftovers,
            recoveries: .init(done: counters.recoveriesDone, failed: counters.recoveriesFailed), passthrough: false,
            adoption: .init(files: adoption.files, backedUp: adoption.backedUp))
    }

    package func info(path: [UInt8]) async throws -> ResourceReport {
        let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        let found = try read { reader throws(CatalogueError) in try reader.resource(atPath: names) }
        guard let row = found else {
            throw OperatorError(message: "\(displayPath(path)): no such file in the catalogue")
        }
        let version = try storedVersion(of: row)
        let shown = row.kind == .file ? try attributes(of: row).row : row
        return ResourceReport(
            key: displayPath(path), status: .init(row.status), createdAt: date(row.createdAt),
            deletedAt: row.deletedAt.map(date), stored: StoredIn(main: row.inMain, backup: row.inBackup),
            size: shown.size,
            version: try read { reader throws(CatalogueError) in try reader.versionNumber(of: row.id) },
            sha256: version.map { hexadecimal($0.sha256) }, backupKey: version.map { store.fullKey($0.key) },
            lastError: row.lastError)
    }

    package func leftovers() async throws -> [LeftoverReport] {
        try read { reader throws(CatalogueError) in
            try reader.leftovers().map { leftover throws(CatalogueError) in
                LeftoverReport(
                    key: try shownPath(leftover.resource, reader), reason: leftover.reason.text,
                    stored: StoredIn(main: leftover.resource.inMain, backup: leftover.resource.inBackup),
                    since: date(leftover.since), lastError: leftover.lastError)
            }
        }
    }

    package func clean(dryRun: Bool) async throws -> CleanReport {
        var report = CleanReport(uploaded: 0, removed: 0, failed: 0, remaining: 0)
        let leftovers = try read { reader throws(CatalogueError) in try reader.leftovers() }
        if dryRun {
            report.plan = try read { reader throws(CatalogueError) in
                try leftovers.map { leftover throws(CatalogueError) in
                    CleanReport.Step(
                        key: try shownPath(leftover.resource, reader), action: leftover.reason.action,
                        reason: leftover.reason.text)
                }
            }
            report.remaining = leftovers.count
            return report
        }
        typealias Outcome = (action: CleanReport.Action, succeeded: Bool)
        let outcomes = await withTaskGroup(of: Outcome.self) { group in
            var outcomes: [Outcome] = []
            for (index, leftover) in leftovers.enumerated() {
                if index >= background.transfers, let outcome = await group.next() { outcomes.append(outcome) }
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
        report.remaining = try read { reader throws(CatalogueError) in try reader.leftovers().count }
        return report
    }

    /// Does now what a leftover needs; false if that failed.
    private func finish(_ leftover: CatalogueReader.Leftover) async -> Bool {
        let row = leftover.resource
        do throws(FileSystemError) {
            switch leftover.reason {
            case .notInBackup, .inNoStorage:
                let file = files.acquire(row.id)
                defer { files.release(file) }
                file.load(try liveRow(row.id))
                if leftover.reason == .inNoStorage, let version = try storedVersion(of: row),
                    try await isInBackup(version, deadline: deadline(size: 0))
                {
                    // The store says otherwise now.
                    try await changeLater(.powerLoss) { writer throws(CatalogueError) in
                        try writer.markInBackup(row.id)
                    }
                    return true
                }
                file.state.withLock { state in
                    if state.changes == state.backedUp { state.changes += 1 }
                }
                try await backUp(file, deadline: deadline(size: mainSize(file, row)))
                return true
            case .deletedButStored, .supersededVersion:
                if row.status == .deleted { await finishDelete(row) }
                let versions = try await changeLater(.processCrash) { writer throws(CatalogueError) in
                    try writer.reader.versions(of: row.id).filter { $0.state == .removing || $0.state == .abandoned }
                }
                let succeeded = await removeVersions(versions.map { ($0, 0) })
                guard let after = try read({ reader throws(CatalogueError) in try reader.resource(row.id) }) else {
                    return succeeded
                }
                return succeeded && (after.status != .deleted || !(after.inMain || after.inBackup))
            }
        } catch {
            return false
        }
    }

    package func sync(progress: @Sendable (SyncProgress) -> Void) async throws {
        let pending = try read { reader throws(CatalogueError) in
            (uploads: Set(try reader.acknowledgedUploads()), journal: try reader.lastJournalEntry())
        }
        let ids = pending.uploads
        if !ids.isEmpty {
            try await changeLater(.processCrash) { writer throws(CatalogueError) in
                for id in ids { try writer.postpone(id, until: currentTime()) }
            }
        }
        var last: SyncProgress?
        while true {
            let now = try read { reader throws(CatalogueError) in
                SyncProgress(
                    uploads: ids.isEmpty ? 0 : try reader.acknowledgedUploads().count { ids.contains($0) }, removals: 0,
                    journal: try reader.journalEntries(through: pending.journal))
            }
            if now != last { progress(now) }
            last = now
            if now.remaining == 0 { return }
            wakeBackground()
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Where a resource is, or was before it was deleted, for people.
    private func shownPath(_ row: Resource, _ reader: CatalogueReader) throws(CatalogueError) -> String {
        displayPath(Array(try reader.lastPath(of: row.id).joined(separator: [UInt8(ascii: "/")])))
    }

    private func date(_ time: Nanoseconds) -> Date { Date(timeIntervalSince1970: Double(time) / 1e9) }
}

extension CatalogueReader.Leftover.Reason {
    /// The reason in words.
    fileprivate var text: String {
        switch self {
        case .notInBackup: "not in backup"
        case .inNoStorage: "in no storage"
        case .deletedButStored: "deleted, still stored"
        case .supersededVersion: "older version still in backup"
        }
    }

    /// What `clean` does about it.
    fileprivate var action: CleanReport.Action {
        switch self {
        case .notInBackup, .inNoStorage: .upload
        case .deletedButStored, .supersededVersion: .remove
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
