import FileSystemCore
import Foundation
import Synchronization

/// A file system that answers what a test told it.
final class FakeOperator: FileSystemOperator {
    static let pageSize = 100
    /// Guards what was asked.
    private let asked = Mutex<[String]>([])
    let report: StatusReport
    let rows: [LeftoverReport]
    /// The figures of a sync in turn; an endless one goes on until it is cancelled.
    let figures: [SyncProgress]
    let endless: Bool

    init(
        reachable: Bool = true, rows: [LeftoverReport] = [], figures: [SyncProgress] = [], endless: Bool = false
    ) {
        report = Self.status(reachable: reachable)
        self.rows = rows
        self.figures = figures
        self.endless = endless
    }

    /// What was asked so far.
    var questions: [String] { asked.withLock { $0 } }

    static func status(reachable: Bool = true, uploads: Int = 0, journal: Int = 0, leftovers: Int = 0) -> StatusReport {
        StatusReport(
            place: .init(main: "/srv/photos", mountpoint: "/mnt/photos"),
            backup: .init(url: "s3://b/p", reachable: reachable, lastError: reachable ? nil : "connection refused"),
            resources: .init(creating: 0, created: 12_345, deleted: 4),
            pending: .init(uploads: uploads, removals: 0, journal: journal), leftovers: leftovers, aside: 0,
            recoveries: .init(done: 1, failed: 0), failures: .init(), adoption: .init(files: 0, backedUp: 0))
    }

    static func leftover(_ key: String, lastError: String? = nil) -> LeftoverReport {
        LeftoverReport(
            key: key, reason: "not in backup", stored: StoredIn(main: true, backup: false),
            since: Date(timeIntervalSince1970: 1_700_000_000), lastError: lastError)
    }

    func status() async throws -> StatusReport {
        note("status")
        return report
    }

    func info(path: [UInt8]) async throws -> ResourceReport {
        note("info \(path)")
        guard path != Array("missing".utf8) else { throw OperatorError(message: "missing: no such file") }
        return ResourceReport(
            key: displayPath(path), status: .created, createdAt: Date(timeIntervalSince1970: 1_700_000_000),
            deletedAt: nil, stored: StoredIn(main: true, backup: true), size: 1_234, version: 1, sha256: "ab",
            backupKey: "p/a~1.jpg", lastError: nil)
    }

    /// Pages of `pageSize` rows.
    func leftovers(_ receive: @Sendable ([LeftoverReport]) async throws -> Void) async throws {
        note("leftovers")
        do {
            for start in stride(from: 0, to: rows.count, by: Self.pageSize) {
                try await receive(Array(rows[start..<min(rows.count, start + Self.pageSize)]))
                note("page")
            }
        } catch {
            note("leftovers cancelled")
            throw error
        }
    }

    func clean(
        dryRun: Bool, _ receive: @Sendable ([CleanReport.Step]) async throws -> Void
    ) async throws -> CleanReport {
        note("clean \(dryRun)")
        if dryRun {
            try await receive(rows.map { CleanReport.Step(key: $0.key, action: .upload, reason: $0.reason) })
        }
        return CleanReport(uploaded: dryRun ? 0 : rows.count, removed: 0, failed: 0, remaining: 0)
    }

    func checkObjects(
        _ receive: @Sendable ([ObjectReport.Finding]) async throws -> Void
    ) async throws -> ObjectReport {
        note("objects")
        var report = ObjectReport(startedAt: Date(timeIntervalSince1970: 1_700_000_000))
        report.finishedAt = report.startedAt
        report.objects = 7
        report.missing = 1
        try await receive([Self.finding])
        return report
    }

    static let finding = ObjectReport.Finding(
        object: "p/a~1.jpg", problem: .missing, key: "a.jpg", action: "uploaded again from main")

    func setAside(_ receive: @Sendable ([AsideReport]) async throws -> Void) async throws {
        note("aside")
        try await receive([Self.aside])
    }

    static let aside = AsideReport(
        id: 3, key: "shop/a.jpg", reason: "in the way", since: Date(timeIntervalSince1970: 1_700_000_000))

    func restoreAside(_ id: Int64) async throws -> AsideReport {
        note("restore \(id)")
        guard id == 3 else { throw OperatorError(message: "nothing with the number \(id)") }
        return Self.aside
    }

    func discardAside(_ id: Int64) async throws { note("discard \(id)") }

    func sync(progress: @Sendable (SyncProgress) -> Void) async throws {
        for figure in figures {
            progress(figure)
            await Task.yield()
        }
        guard endless else { return }
        do {
            try await Task.sleep(for: .seconds(600))
        } catch {
            note("sync cancelled")
            throw error
        }
    }

    func snapshots(isNew: Bool) async throws -> [SnapshotReport] {
        note("snapshots \(isNew)")
        return [Self.snapshot]
    }

    static let snapshot = SnapshotReport(
        moment: Date(timeIntervalSince1970: 1_700_000_000), bytes: 99, isSnapshot: true)

    private func note(_ question: String) { asked.withLock { $0.append(question) } }
}
