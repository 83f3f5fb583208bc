// In which storages the bytes are, and the life cycle of versions.

import Foundation
import GRDB

extension CatalogueWriter {
    /// Makes the root directory's row in a new catalogue; nothing if it exists.
    package func createRoot(_ attributes: NewAttributes, now: Nanoseconds) throws(CatalogueError) {
        try run(
            """
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count, in_main, in_backup) VALUES (1, 'directory', 'created', ?, ?, ?, 0, ?, ?, ?, ?, 2, 1, 0)
            ON CONFLICT DO NOTHING
            """, [attributes.mode, attributes.uid, attributes.gid, now, now, now, now])
    }

    /// Write.3: main storage has the file.
    ///
    /// Directories and links are `created` with it. By the inode number a start knows it again when a power cut has brought
    /// it back after its deletion.
    package func markInMain(_ id: ResourceID, inode: UInt64) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET in_main = 1, main_inode = ?, status = CASE WHEN kind <> 'file' AND status = 'creating' THEN 'created'
                ELSE status END, needs_upload = CASE WHEN kind = 'file' AND version IS NULL THEN 1 ELSE needs_upload END
            WHERE id = ?
            """, [Int64(bitPattern: inode), id.rawValue])
    }

    /// A verified content is in main again (a recovery, or a copy found to agree with the row).
    package func markMainCopy(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_main = 1, main_inode = ?, main_modified = ? WHERE id = ?",
            [Int64(bitPattern: inode), modified, id.rawValue])
    }

    /// Main storage does not have it (any more): Read.3, Delete.4.
    package func markNotInMain(_ id: ResourceID) throws(CatalogueError) {
        try run("UPDATE resource SET in_main = 0, main_inode = 0 WHERE id = ?", [id.rawValue])
    }

    /// Backup does not have it (any more): Read.7.
    package func markNotInBackup(_ id: ResourceID, error: String?) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_backup = 0, last_error = COALESCE(?, last_error) WHERE id = ?",
            [error, id.rawValue])
    }

    /// Backup has the row's version after all.
    package func markInBackup(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_backup = 1, last_error = NULL WHERE id = ? AND version IS NOT NULL", [id.rawValue])
    }

    /// Main is about to hold content that backup does not have.
    ///
    /// `due` makes the background take it up; nil while a program holds the file open for writing.
    package func markNeedsUpload(_ id: ResourceID, due: Nanoseconds?) throws(CatalogueError) {
        try run(
            "UPDATE resource SET needs_upload = 1, in_main = 1, due = ? WHERE id = ? AND status <> 'deleted'",
            [due, id.rawValue])
    }

    /// The version that is about to be uploaded: a crash leaves this row, and with it the key to clean up.
    ///
    /// Returns the version of an earlier attempt instead if that failed with the same content and `isSameKey`: bytes of
    /// it that arrive late then change nothing. Other earlier attempts are abandoned; `leavesWork` if there were some.
    package func beginUpload(
        _ version: Version, now: Nanoseconds, isSameKey: (Version) -> Bool
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
        try run(
            "INSERT INTO version (id, resource, key, size, sha256, state, created_at) VALUES (?, ?, ?, ?, ?, 'uploading', ?)",
            [version.id.description, version.resource.rawValue, version.key, version.size, Data(version.sha256), now])
        return (version, leavesWork)
    }

    /// What is known of the main copy at the moment of an upload.
    package struct MainCopy: Hashable, Sendable {
        package var inode: UInt64
        package var size: Int64
        package var modified: Nanoseconds

        package init(inode: UInt64, size: Int64, modified: Nanoseconds) {
            self.inode = inode
            self.size = size
            self.modified = modified
        }
    }

    /// Write.5: backup has the version; the resource is `created`, the older version is to go.
    ///
    /// `main` is nil if the main copy cannot be trusted. `seen` is the row from before the content was read: times that
    /// were set since are kept. `stillChanging` keeps the resource waiting for a next upload.
    /// If the resource was deleted meanwhile the new object is to go as well. Returns whether an object is to go; nil, with
    /// nothing changed, if the version was given up meanwhile: its object may be gone already.
    package func commitUpload(
        _ version: Version, main: MainCopy?, seen: Resource, stillChanging: Bool, now: Nanoseconds
    ) throws(CatalogueError) -> Bool? {
        guard try reader.version(version.id)?.state == .uploading else { return nil }
        guard let resource = try reader.resource(version.resource), resource.status != .deleted else {
            try abandonVersion(version.id, now: now)
            return true
        }
        try run("UPDATE version SET state = 'stored' WHERE id = ?", [version.id.description])
        let old = resource.version.flatMap { $0 == version.id ? nil : $0 }
        if let old { try supersede(old, isSuspect: try isSuspect(resource.id), now: now) }
        var (modified, mainModified) = (main?.modified ?? resource.modified, main?.modified ?? 0)
        if resource.mainModified != seen.mainModified { mainModified = resource.mainModified }
        if resource.modified != seen.modified { (modified, mainModified) = (resource.modified, resource.modified) }
        try run(
            """
            UPDATE resource SET status = 'created', in_backup = 1, version = ?,
                version_number = version_number + 1, in_main = ?, needs_upload = ?, suspect = 0,
                size = ?, modified = ?, changed = max(changed, ?), main_inode = ?, main_modified = ?,
                due = CASE WHEN ? THEN due END, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?
            """,
            [
                version.id.description, main != nil, stillChanging, main?.size ?? version.size,
                modified, main?.modified ?? resource.changed, Int64(bitPattern: main?.inode ?? 0), mainModified,
                stillChanging, resource.id.rawValue,
            ])
        return old != nil
    }

    /// How long a version is kept whose successor comes out of a run that did not end cleanly: a day, in nanoseconds.
    package static let suspectRetention: Nanoseconds = 86_400 * 1_000_000_000

    private func isSuspect(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try reader.row("SELECT suspect FROM resource WHERE id = ?", [id.rawValue])?[0] ?? false
    }

    /// A version has a successor; it goes at once, or a day later if the successor may not be what programs wrote.
    private func supersede(_ id: VersionID, isSuspect: Bool, now: Nanoseconds) throws(CatalogueError) {
        let end = isSuspect ? now + Self.suspectRetention : now
        try abandonVersion(id, now: end)
        if isSuspect { try run("UPDATE version SET kept_until = ? WHERE id = ?", [end, id.description]) }
    }

    /// The version's object is not wanted: it is removed in the background, whether it exists or not.
    package func abandonVersion(_ id: VersionID, now: Nanoseconds) throws(CatalogueError) {
        try run(
            """
            UPDATE version SET state = CASE state WHEN 'uploading' THEN 'abandoned' ELSE 'removing' END, due = ?
            WHERE id = ?
            """, [now, id.description])
    }

    /// None of a deleted resource's objects is wanted; nothing happens if it is not deleted (any more).
    package func abandonVersions(of id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        guard try reader.resource(id)?.status == .deleted else { return }
        for version in try reader.versions(of: id) where version.state == .stored || version.state == .uploading {
            try abandonVersion(version.id, now: now)
        }
    }

    /// A step of background work on a resource failed; it is due again at `next`.
    package func recordFailure(
        _ id: ResourceID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET due = ?, attempts = attempts + 1, last_error = ?,
                failing_since = COALESCE(failing_since, ?) WHERE id = ?
            """, [next, error, now, id.rawValue])
    }

    /// Removing a version's object failed; it is due again at `next`.
    package func recordRemovalFailure(
        _ id: VersionID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError) {
        try run(
            """
            UPDATE version SET due = ?, attempts = attempts + 1, last_error = ?,
                failing_since = COALESCE(failing_since, ?) WHERE id = ?
            """, [next, error, now, id.description])
    }

    /// At most `limit` of what failed is due: what it failed for is over.
    ///
    /// Returns whether there may be more.
    package func makeFailuresDue(now: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool {
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

    /// At most `limit` of what is due later than `latest` is due then: the clock went back.
    ///
    /// Returns whether there may be more.
    package func clampDue(to latest: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool {
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

    /// Main storage does not have a deleted resource any more: Delete.4.
    ///
    /// Its inode number stays: a power cut can bring the copy back.
    package func markDeletedNotInMain(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_main = 0 WHERE id = ? AND status = 'deleted'", [id.rawValue])
    }

    /// An unwanted version's object is gone.
    package func forgetVersion(_ id: VersionID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET version = NULL, in_backup = 0 WHERE version = ? AND status = 'deleted'",
            [id.description])
        try run("DELETE FROM version WHERE id = ?", [id.description])
    }

    /// Nothing is left to do for a resource in the background.
    package func settle(_ id: ResourceID) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = NULL, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?",
            [id.rawValue])
    }

    /// What was begun and not committed is not wanted.
    package func abandonUploads(of id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        for version in try reader.versions(of: id) where version.state == .uploading {
            try abandonVersion(version.id, now: now)
        }
    }

    /// Nothing of this file waits for an upload any more; what was begun is abandoned.
    package func settleUpload(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        try abandonUploads(of: id, now: now)
        try run("UPDATE resource SET needs_upload = 0 WHERE id = ?", [id.rawValue])
        try settle(id)
    }

    /// An upload that nobody waits for is the background's, unless it has a time for it already or there is nothing to
    /// upload any more.
    package func makeUploadDue(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = ? WHERE id = ? AND due IS NULL AND needs_upload = 1 AND status <> 'deleted'",
            [now, id.rawValue])
    }

    /// All files whose content may not be in backup are the background's.
    ///
    /// `areSuspect`: the last run did not end cleanly, so the versions that they replace are kept for a while.
    package func makeUploadsDue(areSuspect: Bool, now: Nanoseconds) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET due = ?, suspect = max(suspect, ? AND in_backup)
            WHERE needs_upload = 1 AND status <> 'deleted'
            """, [now, areSuspect])
    }

    /// An upload that had nothing to do although it was due: it is looked at again later.
    package func postponeIfDue(_ id: ResourceID, now: Nanoseconds, until due: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET due = ? WHERE id = ? AND due <= ? AND needs_upload = 1", [due, id.rawValue, now])
    }

    /// Background work on a resource is looked at again later; nothing failed.
    package func postpone(_ id: ResourceID, until due: Nanoseconds) throws(CatalogueError) {
        try run("UPDATE resource SET due = ? WHERE id = ?", [due, id.rawValue])
    }

    /// Remembers a failure that is tried again elsewhere.
    package func noteError(_ id: ResourceID, error: String, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET last_error = ?, failing_since = COALESCE(failing_since, ?) WHERE id = ?",
            [error, now, id.rawValue])
    }
}
