// The operator's questions: how many rows are in which state, and which storages do not match. No answer is longer than
// a page, and none costs more than what is pending: indexes hold just that (Schema.swift, operators).

import Foundation
import GRDB

extension CatalogueReader {
    /// The terms of the index `resource_unmatched`: SQLite uses it only for a question that has them as they are there.
    private static let isUnmatched = """
        kind = 'file' AND (needs_upload = 1 AND status <> 'deleted' AND (due IS NOT NULL OR failing_since IS NOT NULL)
            OR status = 'created' AND in_backup = 0
            OR status = 'deleted' AND (in_main = 1 OR in_backup = 1))
        """
    /// The terms of the index `version_failing`.
    private static let isFailing = "version.state IN ('removing', 'abandoned') AND version.attempts > 0"
    /// A version of a deleted resource that is stored is no leftover of its own.
    private static let isOnItsOwn = """
        (resource.status <> 'deleted' OR (resource.in_main = 0 AND resource.in_backup = 0))
        """
    /// The terms of the index `resource_acknowledged`.
    private static let isAcknowledged = "needs_upload = 1 AND due IS NOT NULL AND status <> 'deleted'"

    private static let tallies = "SELECT status, number FROM tally"
    private static let pendingUploads = """
        SELECT count(*) FROM resource WHERE needs_upload = 1 AND status <> 'deleted'
        """
    private static let pendingDeletes = """
        SELECT count(*) FROM resource WHERE status = 'deleted' AND (in_main = 1 OR in_backup = 1)
        """
    private static let pendingRemovals = """
        SELECT count(*) FROM version WHERE state IN ('removing', 'abandoned') AND kept_until IS NULL
        """
    private static let unmatched = "SELECT count(*) FROM resource WHERE \(isUnmatched)"
    private static let failing = """
        SELECT count(*) FROM version CROSS JOIN resource ON resource.id = version.resource
        WHERE \(isFailing) AND \(isOnItsOwn)
        """
    private static let unmatchedPage = """
        SELECT \(Resource.columns), failing_since FROM resource WHERE \(isUnmatched) AND id > ? ORDER BY id LIMIT ?
        """
    private static let failingPage = """
        SELECT \(Resource.columns), version.id AS version_id, version.state AS version_state,
            version.failing_since AS version_since, version.last_error AS version_error
        FROM version CROSS JOIN resource ON resource.id = version.resource
        WHERE \(isFailing) AND (version.resource, version.id) > (?, ?) AND \(isOnItsOwn)
        ORDER BY version.resource, version.id LIMIT ?
        """
    private static let acknowledged = "SELECT count(*) FROM resource WHERE \(isAcknowledged) AND id <= ?"
    private static let lastAcknowledged = "SELECT coalesce(max(id), 0) FROM resource WHERE \(isAcknowledged)"
    private static let unsavedInRange = """
        SELECT (SELECT count(*) FROM resource
                WHERE needs_upload = 1 AND status <> 'deleted' AND id BETWEEN ?1 AND ?2 AND kind = 'file')
            + (SELECT count(*) FROM resource
                WHERE \(isUnmatched) AND id BETWEEN ?1 AND ?2 AND needs_upload = 0 AND status = 'created')
        """
    private static let acknowledgedPage = """
        SELECT id FROM resource WHERE \(isAcknowledged) AND id > ? AND id <= ? ORDER BY id LIMIT ?
        """

    /// Every question of an operator that may meet many rows.
    static let operatorQuestions = [
        tallies, pendingUploads, pendingDeletes, pendingRemovals, unmatched, failing, unmatchedPage, failingPage,
        acknowledged, lastAcknowledged, acknowledgedPage, unsavedInRange,
    ]

    func counts() throws(CatalogueError) -> ResourceCounts {
        var counts = ResourceCounts()
        for row in try rows(Self.tallies, []) {
            switch Resource.Status(rawValue: row["status"]) {
            case .creating: counts.creating = row["number"]
            case .created: counts.created = row["number"]
            case .deleted, nil: counts.deleted = row["number"]
            }
        }
        counts.pendingUploads = try count(Self.pendingUploads)
        counts.pendingRemovals = try count(Self.pendingDeletes) + count(Self.pendingRemovals)
        counts.pendingJournal = try count("SELECT count(*) FROM outbox")
        counts.leftovers = try leftoverCount()
        counts.aside = try asideCount()
        return counts
    }

    func leftoverCount() throws(CatalogueError) -> Int { try count(Self.unmatched) + count(Self.failing) }

    func leftovers(
        from position: LeftoverPosition, limit: Int
    ) throws(CatalogueError) -> (page: [Leftover], next: LeftoverPosition?) {
        switch position {
        case .resources(let last):
            let found = try rows(Self.unmatchedPage, [last, limit])
            let next = found.count < limit ? nil : found.last.map { $0[0] as Int64 }
            return (found.map(Self.unmatched), next.map { .resources(after: $0) } ?? .versions(after: 0, ""))
        case .versions(let resource, let version):
            let found = try rows(Self.failingPage, [resource, version, limit])
            let next = found.count < limit ? nil : found.last
            return (found.map(Self.failing), next.map { .versions(after: $0[0], $0["version_id"]) })
        }
    }

    private static func unmatched(_ row: Row) -> Leftover {
        let resource = Resource(row: row)
        let reason: Leftover.Reason =
            resource.status == .deleted
            ? .deletedButStored : resource.inMain || resource.inBackup ? .notInBackup : .inNoStorage
        return Leftover(
            resource: resource, reason: reason,
            since: row["failing_since"] ?? resource.deletedAt ?? resource.changed, lastError: resource.lastError)
    }

    private static func failing(_ row: Row) -> Leftover {
        let isAbandoned = row["version_state"] as String == Version.State.abandoned.rawValue
        return Leftover(
            resource: Resource(row: row), reason: isAbandoned ? .abandonedVersion : .supersededVersion,
            since: row["version_since"] ?? 0, lastError: row["version_error"])
    }

    func files(from first: ResourceID, through last: ResourceID) throws(CatalogueError) -> Int {
        try count(
            "SELECT count(*) FROM resource WHERE kind = 'file' AND id BETWEEN ? AND ?", [first.rawValue, last.rawValue])
    }

    func filesNotInBackup(from first: ResourceID, through last: ResourceID) throws(CatalogueError) -> Int {
        try count(Self.unsavedInRange, [first.rawValue, last.rawValue])
    }

    func lastAcknowledgedUpload() throws(CatalogueError) -> ResourceID {
        ResourceID(try row(Self.lastAcknowledged, []).map { $0[0] } ?? 0)
    }

    func acknowledgedUploads(through last: ResourceID) throws(CatalogueError) -> Int {
        try count(Self.acknowledged, [last.rawValue])
    }

    func acknowledgedUploads(
        after first: ResourceID, through last: ResourceID, limit: Int
    ) throws(CatalogueError) -> [ResourceID] {
        try rows(Self.acknowledgedPage, [first.rawValue, last.rawValue, limit]).map { ResourceID($0[0]) }
    }
}
