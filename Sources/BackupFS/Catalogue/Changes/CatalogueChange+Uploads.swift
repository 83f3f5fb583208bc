// What an upload changes. What has to be decided in the order of the transactions is asked inside them (`ordered`): such a
// body may run in a transaction that is rolled back, and runs no other change.

/// What committing an upload came to.
package struct CommittedUpload: Sendable {
    /// An older version is to go; nil, with nothing changed, if the version was given up meanwhile.
    package var replaces: Bool?
    /// Main has changed since the content was read, or is about to.
    package var isStillChanging: Bool
    /// Main's copy, which the next sync of main is to vouch for; nil if it is not what was uploaded (any more).
    package var copy: UnsyncedCopy?
}

/// The version that an upload sends.
package struct BegunUpload: Sendable {
    package var version: Version
    /// Earlier attempts were abandoned, and are to be removed.
    package var leavesWork: Bool
}

extension CatalogueChange where Outcome == CommittedUpload {
    /// Write.5: backup has the version; `ordered` says whether main is still changing, and whether the row's time is newer
    /// than main's was.
    package static func commitUpload(
        _ version: Version, main copy: MainCopy, seen row: Resource, now: Nanoseconds,
        ordered: @escaping @Sendable () -> (isStillChanging: Bool, keepsTime: Bool)
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let (isStillChanging, keepsTime) = ordered()
            let done = try transaction.commitUpload(
                version, main: copy, seen: row, stillChanging: isStillChanging, keepsTime: keepsTime, now: now)
            guard let done, !isStillChanging else {
                return CommittedUpload(replaces: done?.leavesWork, isStillChanging: isStillChanging)
            }
            // A time that a program has set is main's, too, or about to be.
            let main = MainCopy(inode: copy.inode, size: copy.size, modified: done.modified)
            return CommittedUpload(
                replaces: done.leavesWork, isStillChanging: false,
                copy: UnsyncedCopy(id: row.id, version: version.id, copy: main, rowModified: done.modified))
        }
    }
}

extension CatalogueChange where Outcome == BegunUpload {
    /// Write.4: the version that is about to be sent, or that of an earlier attempt with the same content and `isSameKey`.
    package static func beginUpload(
        _ version: Version, epoch: Int64, now: Nanoseconds, isSameKey: @escaping @Sendable (Version) -> Bool
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let (version, leavesWork) = try transaction.beginUpload(
                version, epoch: epoch, now: now, isSameKey: isSameKey)
            return BegunUpload(version: version, leavesWork: leavesWork)
        }
    }
}

extension CatalogueChange where Outcome == Bool {
    /// Main lost a change before backup had it: the version in backup is the file.
    ///
    /// `ordered` says whether that is so still; false, with nothing changed, if it is not.
    package static func loseChange(
        _ id: ResourceID, error: String, now: Nanoseconds, ordered: @escaping @Sendable () -> Bool
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            guard try transaction.reader.resource(id)?.status != .deleted, ordered() else { return false }
            try transaction.settleUpload(id, now: now)
            try transaction.noteError(id, error: error, now: now)
            return true
        }
    }
}

extension CatalogueChange where Outcome == Void {
    /// The row says that main is, or will be, ahead of backup; a program has the file open for writing.
    package static func markAhead(_ id: ResourceID) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.markNeedsUpload(id, due: nil) }
    }

    /// Main failed to write what was read for an upload (I13): it goes, and what backup has stays the file.
    package static func dropUnwritten(_ row: Resource, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.abandonUploads(of: row.id, now: now)
            // A file that backup never had stays a leftover: it is nowhere.
            if row.inBackup { try transaction.settleUpload(row.id, now: now) }
            try transaction.markNotInMain(row.id, seen: row.mainInode)
        }
    }

    /// An upload failed: what, and when it is tried again; `delay` (nanoseconds) is given the attempts before.
    ///
    /// Nothing happens if there is nothing to upload any more.
    package static func noteUploadFailure(
        _ id: ResourceID, error: String, now: Nanoseconds, delay: @escaping @Sendable (Int) -> Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            guard let row = try transaction.reader.resource(id), row.status != .deleted, row.needsUpload else { return }
            let attempts = try transaction.reader.attempts(id)
            try transaction.recordFailure(id, error: error, next: now + delay(attempts), now: now)
        }
    }

    /// An upload that nobody waits for is the background's.
    package static func makeUploadDue(_ id: ResourceID, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.makeUploadDue(id, now: now) }
    }

    /// All files whose content may not be in backup are the background's.
    package static func makeUploadsDue(areSuspect: Bool, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.makeUploadsDue(areSuspect: areSuspect, now: now) }
    }

    /// What main has is to be backed up at `due`.
    package static func needsUpload(_ id: ResourceID, due: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.markNeedsUpload(id, due: due) }
    }

    /// An upload that had nothing to do although it was due is looked at again later.
    package static func postponeIfDue(_ id: ResourceID, now: Nanoseconds, until due: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.postponeIfDue(id, now: now, until: due) }
    }

    /// Versions that are not wanted: their objects go, whether they exist or not.
    package static func abandon(_ versions: [VersionID], now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            for version in versions { try transaction.abandonVersion(version, now: now) }
        }
    }

    /// An upload in parts has begun on the server.
    package static func beginMultipartUpload(key: String, id: String) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.beginMultipartUpload(key: key, id: id) }
    }

    /// An upload in parts was finished or aborted.
    package static func endMultipartUpload(key: String, id: String) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.endMultipartUpload(key: key, id: id) }
    }
}
