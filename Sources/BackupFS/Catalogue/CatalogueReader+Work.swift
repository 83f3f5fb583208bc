// What is left to do: the questions of the background worker.

import Foundation
import GRDB

extension CatalogueReader {
    /// Resources whose background work is due at `now`, the longest due first.
    package func dueResources(
        now: Nanoseconds, limit: Int
    ) throws(CatalogueError) -> [(resource: Resource, attempts: Int)] {
        try rows(
            "SELECT \(Resource.columns), attempts FROM resource WHERE due <= ? ORDER BY due LIMIT ?", [now, limit]
        )
        .map { (Resource(row: $0), $0["attempts"]) }
    }

    /// Versions whose removal is due at `now`, the longest due first.
    package func dueRemovals(now: Nanoseconds, limit: Int) throws(CatalogueError) -> [(version: Version, attempts: Int)]
    {
        try rows(
            """
            SELECT * FROM version WHERE due <= ? AND state IN ('removing', 'abandoned') ORDER BY due LIMIT ?
            """, [now, limit]
        ).map { (Version(row: $0), $0["attempts"]) }
    }

    /// When the next background work on a resource is due after `time`; nil if there is none.
    package func nextDueResource(after time: Nanoseconds) throws(CatalogueError) -> Nanoseconds? {
        try row("SELECT min(due) FROM resource WHERE due > ?", [time])?[0]
    }

    /// When the next removal of a version is due; nil if none is.
    package func nextDueRemoval() throws(CatalogueError) -> Nanoseconds? {
        try row("SELECT min(due) FROM version WHERE due IS NOT NULL", [])?[0]
    }

    /// The versions of a resource that are in backup or may be.
    package func versions(of id: ResourceID) throws(CatalogueError) -> [Version] {
        try rows("SELECT * FROM version WHERE resource = ? ORDER BY id", [id.rawValue]).map(Version.init(row:))
    }

    /// The versions of a resource that are to be removed now.
    package func unwantedVersions(of id: ResourceID) throws(CatalogueError) -> [Version] {
        try rows(
            """
            SELECT * FROM version WHERE resource = ? AND state IN ('removing', 'abandoned') AND kept_until IS NULL
            ORDER BY id
            """, [id.rawValue]
        ).map(Version.init(row:))
    }

    // What a start looks at: only what was open or under way.

    /// Resources that were being created and are not known to be in main.
    package func creating() throws(CatalogueError) -> [Resource] {
        try rows("SELECT \(Resource.columns) FROM resource WHERE status = 'creating' AND in_main = 0 ORDER BY id", [])
            .map(
                Resource.init(row:))
    }

    /// All live directories, the oldest first.
    package func directories() throws(CatalogueError) -> [Resource] {
        try rows(
            "SELECT \(Resource.columns) FROM resource WHERE kind = 'directory' AND status <> 'deleted' ORDER BY id", []
        )
        .map(Resource.init(row:))
    }

    /// The deleted resource that had this name last, and this inode number in main; nil if none had.
    ///
    /// Inode numbers are used again: what has changed (`changed`, its ctime) after the deletion is something else.
    package func deletedResource(
        parent: ResourceID, name: [UInt8], mainInode: UInt64, changed: Nanoseconds
    ) throws(CatalogueError) -> ResourceID? {
        try row(
            """
            SELECT id FROM resource WHERE status = 'deleted' AND deleted_parent = ? AND deleted_name = ?
                AND main_inode = ? AND deleted_at >= ? LIMIT 1
            """, [parent.rawValue, Data(name), Int64(bitPattern: mainInode), changed]
        ).map { ResourceID($0[0]) }
    }

    /// Whether main had the file before it had a row.
    package func isAdopted(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try row("SELECT adopted FROM resource WHERE id = ?", [id.rawValue])?[0] ?? false
    }

    /// Whether an upload of the file was begun whose end is not known.
    package func hasBegunUpload(_ id: ResourceID) throws(CatalogueError) -> Bool { try begunUpload(id) != nil }

    /// The version whose upload was begun last, and whose end is not known.
    package func begunUpload(_ id: ResourceID) throws(CatalogueError) -> Version? {
        try versions(of: id).last { $0.state == .uploading }
    }

    /// Files with a version in backup whose content may not be there.
    package func aheadOfBackup() throws(CatalogueError) -> [Resource] {
        try rows(
            """
            SELECT \(Resource.columns) FROM resource
            WHERE needs_upload = 1 AND status <> 'deleted' AND in_backup = 1 ORDER BY id
            """, []
        )
        .map(Resource.init(row:))
    }

    /// Versions whose upload was begun and not committed, and whose resource waits for no upload.
    package func unwantedUploads() throws(CatalogueError) -> [Version] {
        try rows(
            """
            SELECT version.* FROM version JOIN resource ON resource.id = version.resource
            WHERE version.state = 'uploading' AND (resource.needs_upload = 0 OR resource.status = 'deleted')
            """, []
        ).map(Version.init(row:))
    }

    /// A rename that main storage may not have followed.
    package struct RenameIntent: Sendable {
        package var id: Int64
        package var resource: ResourceID
        package var sourceParent: ResourceID
        package var sourceName: [UInt8]
        package var targetParent: ResourceID
        package var targetName: [UInt8]
        /// The resource that had the target's name.
        package var replaced: ResourceID?
        /// The two names changed places.
        package var isExchange: Bool
        /// The inode number that main had under the source name before an exchange; 0 if it had nothing there.
        package var sourceInode: UInt64
        /// Main had followed, as a process that dies leaves it; a power cut may have taken that back.
        package var isFollowed: Bool
    }

    /// Renames that main storage may not have followed, oldest first.
    package func renameIntents() throws(CatalogueError) -> [RenameIntent] {
        try rows("SELECT * FROM rename_intent ORDER BY id", []).map {
            RenameIntent(
                id: $0["id"], resource: ResourceID($0["resource"]), sourceParent: ResourceID($0["source_parent"]),
                sourceName: bytes($0["source_name"]), targetParent: ResourceID($0["target_parent"]),
                targetName: bytes($0["target_name"]), replaced: ($0["replaced"] as Int64?).map(ResourceID.init),
                isExchange: $0["exchanged"], sourceInode: UInt64(bitPattern: $0["source_inode"] as Int64),
                isFollowed: $0["followed"])
        }
    }

    /// Whether a rename that may still be taken back has deleted the resource.
    package func isBeingReplaced(_ id: ResourceID) throws(CatalogueError) -> Bool {
        try row("SELECT 1 FROM rename_intent WHERE replaced = ?", [id.rawValue]) != nil
    }

    /// A change of one name of a living resource that main storage may not have followed.
    package struct NameIntent: Sendable {
        package var id: Int64
        package var resource: ResourceID
        package var parent: ResourceID
        package var name: [UInt8]
        /// Main had followed, as a process that dies leaves it; a power cut may have taken that back.
        package var isFollowed: Bool
    }

    /// Changes of names that main storage may not have followed, oldest first.
    package func nameIntents() throws(CatalogueError) -> [NameIntent] {
        try rows("SELECT * FROM name_intent ORDER BY id", []).map {
            NameIntent(
                id: $0["id"], resource: ResourceID($0["resource"]), parent: ResourceID($0["parent"]),
                name: bytes($0["name"]), isFollowed: $0["followed"])
        }
    }

    /// How often background work on a resource has failed in a row.
    package func attempts(_ id: ResourceID) throws(CatalogueError) -> Int {
        try count("SELECT attempts FROM resource WHERE id = ?", [id.rawValue])
    }

    /// How many contents of a resource were uploaded and acknowledged, superseded ones included.
    package func versionNumber(of id: ResourceID) throws(CatalogueError) -> Int64 {
        try row("SELECT version_number FROM resource WHERE id = ?", [id.rawValue]).map { $0[0] } ?? 0
    }

    /// Files that wait for an upload although nobody is to do it: nothing may ever be in this state without a writer.
    package func forgottenUploads() throws(CatalogueError) -> [ResourceID] {
        try rows(
            "SELECT id FROM resource WHERE needs_upload = 1 AND due IS NULL AND status <> 'deleted'", []
        ).map { ResourceID($0["id"]) }
    }

    /// The number of the last change that waits for the journal; 0 if none does.
    package func lastJournalEntry() throws(CatalogueError) -> Int64 {
        try row("SELECT coalesce(max(sequence), 0) FROM outbox", []).map { $0[0] } ?? 0
    }

    /// The number of the newest change, shipped or not; 0 before the first.
    package func newestJournalEntry() throws(CatalogueError) -> Int64 {
        try row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'", []).map { $0[0] } ?? 0
    }

    /// How many changes up to `last` wait for the journal.
    package func journalEntries(through last: Int64) throws(CatalogueError) -> Int {
        try count("SELECT count(*) FROM outbox WHERE sequence <= ?", [last])
    }

    /// Whether changes wait for the journal.
    package func hasJournal() throws(CatalogueError) -> Bool {
        try row("SELECT 1 FROM outbox LIMIT 1", []) != nil
    }
}
