// What is left to do: the questions of the background worker.

import Foundation
import GRDB

extension CatalogueReader {
    func dueResources(
        now: Nanoseconds, limit: Int
    ) throws(CatalogueError) -> [(resource: Resource, attempts: Int)] {
        try rows(
            "SELECT \(Resource.columns), attempts FROM resource WHERE due <= ? ORDER BY due LIMIT ?", [now, limit]
        )
        .map { (Resource(row: $0), $0["attempts"]) }
    }

    func dueRemovals(now: Nanoseconds, limit: Int) throws(CatalogueError) -> [(version: Version, attempts: Int)] {
        try rows(
            """
            SELECT * FROM version
            WHERE state IN ('removing', 'abandoned') AND due IS NOT NULL AND waits_for IS NULL AND due <= ?
            ORDER BY due LIMIT ?
            """, [now, limit]
        ).map { (Version(row: $0), $0["attempts"]) }
    }

    func nextDueResource(after time: Nanoseconds) throws(CatalogueError) -> Nanoseconds? {
        try row("SELECT min(due) FROM resource WHERE due > ?", [time])?[0]
    }

    func nextDueRemoval() throws(CatalogueError) -> Nanoseconds? {
        try row(
            """
            SELECT min(due) FROM version
            WHERE state IN ('removing', 'abandoned') AND due IS NOT NULL AND waits_for IS NULL
            """, [])?[0]
    }

    func versions(of id: ResourceID) throws(CatalogueError) -> [Version] {
        try rows("SELECT * FROM version WHERE resource = ? ORDER BY id", [id.rawValue]).map(Version.init(row:))
    }

    func unwantedVersions(of id: ResourceID) throws(CatalogueError) -> [Version] {
        try rows(
            """
            SELECT * FROM version
            WHERE resource = ? AND state IN ('removing', 'abandoned') AND kept_until IS NULL AND waits_for IS NULL
            ORDER BY id
            """, [id.rawValue]
        ).map(Version.init(row:))
    }

    // What a start looks at: only what was open or under way.

    func creating() throws(CatalogueError) -> [Resource] {
        try rows("SELECT \(Resource.columns) FROM resource WHERE status = 'creating' AND in_main = 0 ORDER BY id", [])
            .map(
                Resource.init(row:))
    }

    func directories() throws(CatalogueError) -> [Resource] {
        try rows(
            "SELECT \(Resource.columns) FROM resource WHERE kind = 'directory' AND status <> 'deleted' ORDER BY id", []
        )
        .map(Resource.init(row:))
    }

    func deletedResource(
        _ dentry: Dentry, mainInode: UInt64, changed: Nanoseconds
    ) throws(CatalogueError) -> ResourceID? {
        try row(
            """
            SELECT id FROM resource WHERE status = 'deleted' AND deleted_parent = ? AND deleted_name = ?
                AND main_inode = ? AND deleted_at >= ? LIMIT 1
            """, [dentry.parent.rawValue, Data(dentry.name), Int64(bitPattern: mainInode), changed]
        ).map { ResourceID($0[0]) }
    }

    func isAdopted(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try row("SELECT adopted FROM resource WHERE id = ?", [id.rawValue])?[0] ?? false
    }

    func hasBegunUpload(_ id: ResourceID) throws(CatalogueError) -> Bool { try begunUpload(id) != nil }

    func begunUpload(_ id: ResourceID) throws(CatalogueError) -> Version? {
        try versions(of: id).last { $0.state == .uploading }
    }

    func aheadOfBackup() throws(CatalogueError) -> [Resource] {
        try rows(
            """
            SELECT \(Resource.columns) FROM resource
            WHERE needs_upload = 1 AND status <> 'deleted' AND (in_backup = 1
                OR EXISTS (SELECT 1 FROM version WHERE version.resource = resource.id AND state = 'uploading'))
            ORDER BY id
            """, []
        )
        .map(Resource.init(row:))
    }

    func unwantedUploads() throws(CatalogueError) -> [Version] {
        try rows(
            """
            SELECT version.* FROM version JOIN resource ON resource.id = version.resource
            WHERE version.state = 'uploading' AND (resource.needs_upload = 0 OR resource.status = 'deleted')
            """, []
        ).map(Version.init(row:))
    }

    func renameIntents() throws(CatalogueError) -> [RenameIntent] {
        try rows("SELECT * FROM rename_intent ORDER BY id", []).map {
            RenameIntent(
                id: $0["id"], resource: ResourceID($0["resource"]),
                source: Dentry(ResourceID($0["source_parent"]), bytes($0["source_name"])),
                target: Dentry(ResourceID($0["target_parent"]), bytes($0["target_name"])),
                replaced: ($0["replaced"] as Int64?).map(ResourceID.init), isExchange: $0["exchanged"],
                sourceInode: UInt64(bitPattern: $0["source_inode"] as Int64),
                isFollowed: $0["followed"])
        }
    }

    func isBeingReplaced(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try row("SELECT 1 FROM rename_intent WHERE replaced = ?", [id.rawValue]) != nil
    }

    func nameIntents() throws(CatalogueError) -> [NameIntent] {
        try rows("SELECT * FROM name_intent ORDER BY id", []).map {
            NameIntent(
                id: $0["id"], resource: ResourceID($0["resource"]),
                dentry: Dentry(ResourceID($0["parent"]), bytes($0["name"])), isFollowed: $0["followed"])
        }
    }

    func attempts(_ id: ResourceID) throws(CatalogueError) -> Int {
        try count("SELECT attempts FROM resource WHERE id = ?", [id.rawValue])
    }

    func versionNumber(of id: ResourceID) throws(CatalogueError) -> Int64 {
        try row("SELECT version_number FROM resource WHERE id = ?", [id.rawValue]).map { $0[0] } ?? 0
    }

    func forgottenUploads() throws(CatalogueError) -> [ResourceID] {
        try rows(
            "SELECT id FROM resource WHERE needs_upload = 1 AND due IS NULL AND status <> 'deleted'", []
        ).map { ResourceID($0["id"]) }
    }

    func lastJournalEntry() throws(CatalogueError) -> Int64 {
        try row("SELECT coalesce(max(sequence), 0) FROM outbox", []).map { $0[0] } ?? 0
    }

    func newestJournalEntry() throws(CatalogueError) -> Int64 {
        try row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'", []).map { $0[0] } ?? 0
    }

    func journalEntries(through last: Int64) throws(CatalogueError) -> Int {
        try count("SELECT count(*) FROM outbox WHERE sequence <= ?", [last])
    }
}
