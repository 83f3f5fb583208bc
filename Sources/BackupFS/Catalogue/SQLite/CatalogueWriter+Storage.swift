// In which storages the bytes are, and the life cycle of versions.

import Foundation
import GRDB

extension CatalogueWriter {
    func createRoot(_ attributes: NewAttributes, now: Nanoseconds) throws(CatalogueError) {
        try run(
            """
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count, in_main, in_backup) VALUES (1, 'directory', 'created', ?, ?, ?, 0, ?, ?, ?, ?, 2, 1, 0)
            ON CONFLICT DO NOTHING
            """, [attributes.mode, attributes.uid, attributes.gid, now, now, now, now])
    }

    func markInMain(_ id: ResourceID, inode: UInt64) throws(CatalogueError) {
        // Of a file nothing changes that the journal tells of.
        try run(
            """
            UPDATE resource SET in_main = 1, main_inode = ?,
                needs_upload = CASE WHEN version IS NULL THEN 1 ELSE needs_upload END
            WHERE id = ? AND kind = 'file'
            """, [Int64(bitPattern: inode), id.rawValue])
        guard database.changesCount == 0 else { return }
        try run(
            """
            UPDATE resource SET in_main = 1, main_inode = ?,
                status = CASE status WHEN 'creating' THEN 'created' ELSE status END
            WHERE id = ?
            """, [Int64(bitPattern: inode), id.rawValue])
    }

    func markMainCopy(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_main = 1, main_inode = ?, main_modified = ? WHERE id = ?",
            [Int64(bitPattern: inode), modified, id.rawValue])
    }

    func markNotInMain(_ id: ResourceID, seen: UInt64) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET in_main = 0, main_inode = 0 WHERE id = ? AND status <> 'deleted' AND main_inode = ?
            """, [id.rawValue, Int64(bitPattern: seen)])
    }

    func markNotInBackup(_ id: ResourceID, error: String?) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_backup = 0, last_error = COALESCE(?, last_error) WHERE id = ?",
            [error, id.rawValue])
    }

    func markInBackup(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_backup = 1, last_error = NULL WHERE id = ? AND version IS NOT NULL", [id.rawValue])
    }

    func markNeedsUpload(_ id: ResourceID, due: Nanoseconds?) throws(CatalogueError) {
        try run(
            "UPDATE resource SET needs_upload = 1, in_main = 1, due = ? WHERE id = ? AND status <> 'deleted'",
            [due, id.rawValue])
    }

    func beginUpload(
        _ version: Version, epoch: Int64, now: Nanoseconds, isSameKey: (Version) -> Bool
    ) throws(CatalogueError) -> (version: Version, leavesWork: Bool) {
        _ = try live(version.resource)
        var again: Version?
        var leavesWork = false
        for earlier in try reader.versions(of: version.resource) where earlier.state == .uploading {
            if earlier.size == version.size, earlier.sha256 == version.sha256, isSameKey(earlier) {
                again = earlier
            } else {
                try abandonVersion(earlier.id, now: now)
                leavesWork = true
            }
        }
        if let again { return (again, leavesWork) }
        var begun = version
        let change = try reader.row(
            """
            INSERT INTO version (id, resource, key, size, sha256, state, created_at, epoch, change)
            VALUES (?, ?, ?, ?, ?, 'uploading', ?, ?,
                coalesce(?, (SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0))
            RETURNING change
            """,
            [
                version.id.description, version.resource.rawValue, version.key, version.size, Data(version.sha256),
                now, version.point?.epoch ?? epoch, version.point?.change,
            ])
        begun.point = ChangePoint(epoch: version.point?.epoch ?? epoch, change: change?[0] ?? 0)
        return (begun, leavesWork)
    }

    func commitUpload(
        _ version: Version, main: MainCopy?, seen: Resource, stillChanging: Bool, keepsTime: Bool, now: Nanoseconds
    ) throws(CatalogueError) -> (leavesWork: Bool, modified: Nanoseconds)? {
        guard try reader.version(version.id)?.state == .uploading else { return nil }
        guard let resource = try reader.resource(version.resource), resource.status != .deleted else {
            try abandonVersion(version.id, now: now)
            return (leavesWork: true, modified: 0)
        }
        try run("UPDATE version SET state = 'stored' WHERE id = ?", [version.id.description])
        let old = resource.version.flatMap { $0 == version.id ? nil : $0 }
        if let old { try supersede(old, isSuspect: try isSuspect(resource.id), now: now) }
        let hasNewTime = keepsTime || resource.modified != seen.modified
        let modified = hasNewTime ? resource.modified : main?.modified ?? resource.modified
        try run(
            """
            UPDATE resource SET status = 'created', in_backup = 1, version = ?,
                version_number = version_number + 1, in_main = ?, needs_upload = ?, suspect = 0,
                size = ?, modified = ?, changed = max(changed, ?), main_inode = ?, main_modified = ?,
                due = CASE WHEN ? THEN due END, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?
            """,
            [
                version.id.description, main != nil, stillChanging, main?.size ?? version.size,
                modified, main?.modified ?? resource.changed, Int64(bitPattern: main?.inode ?? 0),
                main == nil ? 0 : MainCopy.unsynced, stillChanging, resource.id.rawValue,
            ])
        return (leavesWork: old != nil, modified: modified)
    }

    /// How long a version is kept whose successor comes out of a run that did not end cleanly: a day, in nanoseconds.
    static let suspectRetention: Nanoseconds = 86_400 * 1_000_000_000

    private func isSuspect(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try reader.row("SELECT suspect FROM resource WHERE id = ?", [id.rawValue])?[0] ?? false
    }

    /// A version has a successor; it goes at once, or a day later if the successor may not be what programs wrote.
    private func supersede(_ id: VersionID, isSuspect: Bool, now: Nanoseconds) throws(CatalogueError) {
        let end = isSuspect ? now + Self.suspectRetention : now
        try abandonVersion(id, now: end)
        if isSuspect { try run("UPDATE version SET kept_until = ? WHERE id = ?", [end, id.description]) }
    }

    func abandonVersion(_ id: VersionID, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "INSERT INTO outbox (entity, owner) SELECT 'resource', resource FROM version WHERE id = ?", [id.description]
        )
        try run(
            """
            UPDATE version SET state = CASE state WHEN 'uploading' THEN 'abandoned' ELSE 'removing' END, due = ?,
                waits_for = ? WHERE id = ?
            """, [now, database.lastInsertedRowID, id.description])
    }

    func releaseRemovals(limit: Int) throws(CatalogueError) -> Bool {
        try run(
            """
            UPDATE version SET waits_for = NULL WHERE id IN (
                SELECT id FROM version WHERE waits_for < coalesce((SELECT min(sequence) FROM outbox), ?)
                ORDER BY waits_for LIMIT ?)
            """, [Int64.max, limit])
        return database.changesCount == limit
    }

    func abandonVersions(of id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        guard try reader.resource(id)?.status == .deleted else { return }
        for version in try reader.versions(of: id) where version.state == .stored || version.state == .uploading {
            try abandonVersion(version.id, now: now)
        }
    }

    func recordFailure(
        _ id: ResourceID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET due = ?, attempts = attempts + 1, last_error = ?,
                failing_since = COALESCE(failing_since, ?) WHERE id = ?
            """, [next, error, now, id.rawValue])
    }

    func recordRemovalFailure(
        _ id: VersionID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError) {
        try run(
            """
            UPDATE version SET due = ?, attempts = attempts + 1, last_error = ?,
                failing_since = COALESCE(failing_since, ?) WHERE id = ?
            """, [next, error, now, id.description])
    }

    func makeFailuresDue(now: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool {
        var isMore = false
        for table in ["resource", "version"] {
            try run(
                """
                UPDATE \(table) SET due = ? WHERE id IN (
                    SELECT id FROM \(table) WHERE due > ? AND last_error IS NOT NULL LIMIT ?)
                """, [now, now, limit])
            isMore = isMore || database.changesCount == limit
        }
        return isMore
    }

    func clampDue(to latest: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool {
        try run(
            "UPDATE resource SET due = ? WHERE id IN (SELECT id FROM resource WHERE due > ? LIMIT ?)",
            [latest, latest, limit])
        let isMore = database.changesCount == limit
        // What is kept is kept for a time that is counted by the clock as it is now.
        let kept = latest + Self.suspectRetention
        try run(
            """
            UPDATE version SET due = CASE WHEN kept_until IS NULL THEN ? ELSE ? END,
                kept_until = CASE WHEN kept_until IS NULL THEN NULL ELSE ? END
            WHERE id IN (SELECT id FROM version WHERE due > CASE WHEN kept_until IS NULL THEN ? ELSE ? END LIMIT ?)
            """, [latest, kept, kept, latest, kept, limit])
        return isMore || database.changesCount == limit
    }

    func markDeletedNotInMain(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_main = 0 WHERE id = ? AND status = 'deleted'", [id.rawValue])
    }

    func forgetVersion(_ id: VersionID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET version = NULL, in_backup = 0 WHERE version = ? AND status = 'deleted'",
            [id.description])
        try run("DELETE FROM version WHERE id = ?", [id.description])
    }

    func settle(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = NULL, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?",
            [id.rawValue])
    }

    func abandonUploads(of id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        for version in try reader.versions(of: id) where version.state == .uploading {
            try abandonVersion(version.id, now: now)
        }
    }

    func settleUpload(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        guard try reader.resource(id)?.status != .deleted else { return }
        try abandonUploads(of: id, now: now)
        try run("UPDATE resource SET needs_upload = 0 WHERE id = ?", [id.rawValue])
        try settle(id)
    }

    func makeUploadDue(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = ? WHERE id = ? AND due IS NULL AND needs_upload = 1 AND status <> 'deleted'",
            [now, id.rawValue])
    }

    func makeUploadsDue(areSuspect: Bool, now: Nanoseconds) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET due = ?, suspect = max(suspect, ? AND in_backup)
            WHERE needs_upload = 1 AND status <> 'deleted'
            """, [now, areSuspect])
    }

    func postponeIfDue(_ id: ResourceID, now: Nanoseconds, until due: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = ? WHERE id = ? AND due <= ? AND needs_upload = 1", [due, id.rawValue, now])
    }

    func postpone(_ id: ResourceID, until due: Nanoseconds) throws(CatalogueError) {
        try run("UPDATE resource SET due = ? WHERE id = ?", [due, id.rawValue])
    }

    func noteError(_ id: ResourceID, error: String, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET last_error = ?, failing_since = COALESCE(failing_since, ?) WHERE id = ?",
            [error, now, id.rawValue])
    }
}
