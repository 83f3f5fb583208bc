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

    /// Step 3 of the write scenario: main storage has the file.
    ///
    /// Directories and links are `created` with it.
    package func markInMain(_ id: ResourceID) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET in_main = 1, status = CASE WHEN kind <> 'file' AND status = 'creating' THEN 'created'
                ELSE status END, needs_upload = CASE WHEN kind = 'file' AND version IS NULL THEN 1 ELSE needs_upload END
            WHERE id = ?
            """, [id.rawValue])
    }

    /// A verified content is in main again (a recovery, or a copy found to agree with the row).
    package func markMainCopy(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET in_main = 1, main_inode = ?, main_modified = ? WHERE id = ?",
            [Int64(bitPattern: inode), modified, id.rawValue])
    }

    /// Main storage does not have it (any more): read step 3, delete step 4.
    package func markNotInMain(_ id: ResourceID) throws(CatalogueError) {
        try run("UPDATE resource SET in_main = 0, main_inode = 0 WHERE id = ?", [id.rawValue])
    }

    /// Backup does not have it (any more): read step 7.
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
    /// it that arrive late then change nothing. Other earlier attempts are abandoned.
    package func beginUpload(
        _ version: Version, now: Nanoseconds, isSameKey: (Version) -> Bool
    ) throws(CatalogueError) -> Version {
        _ = try live(version.resource)
        var again: Version?
        for earlier in try reader.versions(of: version.resource) where earlier.state == .uploading {
            if earlier.size == version.size, earlier.sha256 == version.sha256, isSameKey(earlier) {
                again = earlier
            } else {
                try abandonVersion(earlier.id, now: now)
            }
        }
        if let again { return again }
        try run(
            "INSERT INTO version (id, resource, key, size, sha256, state, created_at) VALUES (?, ?, ?, ?, ?, 'uploading', ?)",
            [version.id.description, version.resource.rawValue, version.key, version.size, Data(version.sha256), now])
        return version
    }

    /// What is known of the main copy at the moment of an upload.
    package struct MainCopy: Equatable, Sendable {
        package var inode: UInt64
        package var size: Int64
        package var modified: Nanoseconds

        package init(inode: UInt64, size: Int64, modified: Nanoseconds) {
            self.inode = inode
            self.size = size
            self.modified = modified
        }
    }

    /// Step 5 of the write scenario: backup has the version; the resource is `created`, the older version is to go.
    ///
    /// `main` is nil if the main copy cannot be trusted. `seen` is the row from before the content was read: times that
    /// were set since are kept. `stillChanging` keeps the resource waiting for a next upload.
    /// If the resource was deleted meanwhile the new object is to go as well.
    package func commitUpload(
        _ version: Version, main: MainCopy?, seen: Resource, stillChanging: Bool, now: Nanoseconds
    ) throws(CatalogueError) {
        guard let resource = try reader.resource(version.resource), resource.status != .deleted else {
            return try abandonVersion(version.id, now: now)
        }
        try run("UPDATE version SET state = 'stored' WHERE id = ?", [version.id.description])
        if let old = resource.version, old != version.id { try abandonVersion(old, now: now) }
        var (modified, mainModified) = (main?.modified ?? resource.modified, main?.modified ?? 0)
        if resource.mainModified != seen.mainModified { mainModified = resource.mainModified }
        if resource.modified != seen.modified { (modified, mainModified) = (resource.modified, resource.modified) }
        try run(
            """
            UPDATE resource SET status = 'created', in_backup = 1, version = ?,
                version_number = version_number + 1, in_main = ?, needs_upload = ?,
                size = ?, modified = ?, changed = max(changed, ?), main_inode = ?, main_modified = ?,
                due = CASE WHEN ? THEN due END, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?
            """,
            [
                version.id.description, main != nil, stillChanging, main?.size ?? version.size,
                modified, main?.modified ?? resource.changed, Int64(bitPattern: main?.inode ?? 0), mainModified,
                stillChanging, resource.id.rawValue,
            ])
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

    /// Everything that failed is due: what it failed for is over.
    package func makeFailuresDue(now: Nanoseconds) throws(CatalogueError) {
        for table in ["resource", "version"] {
            try run("UPDATE \(table) SET due = ? WHERE due > ? AND last_error IS NOT NULL", [now, now])
        }
    }

    /// Main storage does not have a deleted resource any more: delete step 4.
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

    /// Nothing of this file waits for an upload any more; what was begun is abandoned.
    package func settleUpload(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        for version in try reader.versions(of: id) where version.state == .uploading {
            try abandonVersion(version.id, now: now)
        }
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
    package func makeUploadsDue(now: Nanoseconds) throws(CatalogueError) {
        try run("UPDATE resource SET due = ? WHERE needs_upload = 1 AND status <> 'deleted'", [now])
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
