// What can be changed within one transaction: the steps that the changes (Changes/) are made of.

/// Steps of one transaction.
package protocol CatalogueTransaction {
    associatedtype Questions: CatalogueQuestions

    /// Questions about the state within this transaction so far.
    var reader: Questions { get }

    /// Gives something in main its row, unless its name has one; a file waits for its upload then.
    ///
    /// Returns the resource of that name. With `isFirst`, `adopted.first` and `adopted.last` enclose the numbers given.
    func adopt(
        _ kind: Resource.Kind, _ dentry: Dentry, _ found: AdoptedAttributes, isFirst: Bool
    ) throws(CatalogueError) -> ResourceID

    /// Gives an adopted resource the name of another hard link to it, unless the name is taken.
    func adoptLink(_ id: ResourceID, _ dentry: Dentry) throws(CatalogueError)

    /// Gives a resource another name.
    ///
    /// Returns the intent that main storage has to follow. Throws `.nameTaken`, `.noSuchResource`, `.notDirectory` (the
    /// parent) or `.isDirectory` (directories have one name).
    func link(
        _ id: ResourceID, _ dentry: Dentry, now: Nanoseconds
    ) throws(CatalogueError) -> Int64

    /// Takes back a link that main storage could not follow.
    func undoLink(
        _ id: ResourceID, _ dentry: Dentry, intent: Int64, now: Nanoseconds
    ) throws(CatalogueError)

    /// Remembers that main storage has to follow a change of one name of a living resource.
    func addNameIntent(_ id: ResourceID, _ dentry: Dentry) throws(CatalogueError) -> Int64

    /// Main storage has followed the change of a name, and need not do so again unless the power is cut.
    func markNameFollowed(_ intent: Int64) throws(CatalogueError)

    /// Main storage has followed the change of a name.
    func finishNameIntent(_ intent: Int64) throws(CatalogueError)

    /// Lets two names change places (RENAME_EXCHANGE); returns the intent that main storage has to follow.
    ///
    /// `sourceInode` is the inode number that main has under the first name, 0 if it has nothing there: it tells a later
    /// start whether main has followed. Returns nil if both names are one resource.
    func exchange(
        _ first: Dentry, _ second: Dentry,
        sourceInode: UInt64, now: Nanoseconds
    ) throws(CatalogueError) -> Int64?

    /// Takes back an exchange that main storage could not follow.
    func undoExchange(
        _ first: Dentry, _ second: Dentry,
        intent: Int64, now: Nanoseconds
    ) throws(CatalogueError)

    /// Write.1: adds a resource with a name, unless the name is taken.
    ///
    /// A new resource is `creating` and stored nowhere yet. Throws `.nameTaken`, `.noSuchResource` or `.notDirectory`
    /// (the parent).
    ///
    /// `id` is the number that it gets if it had one once; nil: the next one.
    func create(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes, as id: ResourceID?, now: Nanoseconds
    ) throws(CatalogueError) -> Resource

    /// Takes back a creation whose main file could not be made: nothing of it remains.
    func undoCreate(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// Delete.1 and Delete.2: the soft delete.
    ///
    /// A resource with other names lives on and only loses this one. Returns the row as it is afterwards. `directory` says
    /// what the caller expects: rmdir (true) or unlink (false). Throws `.noSuchResource`, `.isDirectory`,
    /// `.notDirectory`, `.notEmpty`.
    func delete(
        _ dentry: Dentry, directory: Bool, now: Nanoseconds
    ) throws(CatalogueError) -> Resource

    /// Renames, replacing a file or an empty directory at the target unless `noReplace`.
    ///
    /// `sourceInode` is the inode number that main has under the source name, 0 if it has nothing there. The intent is recorded in the same transaction; `finishRename` removes it when main storage has followed.
    func rename(
        from source: Dentry, to target: Dentry,
        noReplace: Bool, sourceInode: UInt64, now: Nanoseconds
    ) throws(CatalogueError) -> Renamed

    /// Main storage has followed the rename, and need not do so again unless the power is cut.
    func markRenameFollowed(_ intent: Int64) throws(CatalogueError)

    /// Main storage has followed the rename: its intent is done.
    ///
    /// A resource that was replaced is in main until its removal says otherwise: it may have had other names.
    func finishRename(_ intent: Int64) throws(CatalogueError)

    /// Main storage could not follow: the names are as they were before, the replaced resource lives again.
    func undoRename(
        _ renamed: Renamed, from source: Dentry, to target: Dentry, now: Nanoseconds
    ) throws(CatalogueError)

    /// Makes the root directory's row in a new catalogue; nothing if it exists.
    func createRoot(_ attributes: NewAttributes, now: Nanoseconds) throws(CatalogueError)

    /// Write.3: main storage has the file.
    ///
    /// Directories and links are `created` with it. By the inode number a start knows it again when a power cut has brought
    /// it back after its deletion.
    func markInMain(_ id: ResourceID, inode: UInt64) throws(CatalogueError)

    /// A verified content is in main again (a recovery, or a copy found to agree with the row).
    func markMainCopy(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) throws(CatalogueError)

    /// Main storage does not have the copy of a live resource (any more): Read.3.
    ///
    /// Nothing happens if its inode number is not `seen` by now: then main has got another copy.
    func markNotInMain(_ id: ResourceID, seen: UInt64) throws(CatalogueError)

    /// Backup does not have it (any more): Read.7.
    func markNotInBackup(_ id: ResourceID, error: String?) throws(CatalogueError)

    /// Backup has the row's version after all.
    func markInBackup(_ id: ResourceID) throws(CatalogueError)

    /// Main is about to hold content that backup does not have.
    ///
    /// `due` makes the background take it up; nil while a program holds the file open for writing.
    func markNeedsUpload(_ id: ResourceID, due: Nanoseconds?) throws(CatalogueError)

    /// The version that is about to be uploaded: a crash leaves this row, and with it the key to clean up.
    ///
    /// Returns the version of an earlier attempt instead if that failed with the same content and `isSameKey`: bytes of
    /// it that arrive late then change nothing. Other earlier attempts are abandoned; `leavesWork` if there were some. `epoch`
    /// is the number of the epoch in which it begins, now; a version that has a point began then.
    func beginUpload(
        _ version: Version, epoch: Int64, now: Nanoseconds, isSameKey: (Version) -> Bool
    ) throws(CatalogueError) -> (version: Version, leavesWork: Bool)

    /// Write.5: backup has the version; the resource is `created`, the older version is to go.
    ///
    /// `main` is nil if the main copy cannot be trusted. `seen` is the row from before the content was read: times that
    /// were set since are kept. `stillChanging` keeps the resource waiting for a next upload, `keepsTime`
    /// the row its time of modification: a program has set it meanwhile.
    /// No row vouches for a copy that was just uploaded: it may not be on the disk yet.
    /// If the resource was deleted meanwhile the new object is to go as well. Returns whether an object is to go, and the
    /// file's time; nil, with nothing changed, if the version was given up meanwhile: its object may be gone already.
    func commitUpload(
        _ version: Version, main: MainCopy?, seen: Resource, stillChanging: Bool, keepsTime: Bool, now: Nanoseconds
    ) throws(CatalogueError) -> (leavesWork: Bool, modified: Nanoseconds)?

    /// The version's object is not wanted: it is removed in the background, whether it exists or not, once the journal has
    /// told that it is not (I15).
    func abandonVersion(_ id: VersionID, now: Nanoseconds) throws(CatalogueError)

    /// At most `limit` objects that are not wanted need not wait for the journal any more: it has told that.
    ///
    /// Returns whether there may be more.
    func releaseRemovals(limit: Int) throws(CatalogueError) -> Bool

    /// None of a deleted resource's objects is wanted; nothing happens if it is not deleted (any more).
    func abandonVersions(of id: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// A step of background work on a resource failed; it is due again at `next`.
    func recordFailure(
        _ id: ResourceID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError)

    /// Removing a version's object failed; it is due again at `next`.
    func recordRemovalFailure(
        _ id: VersionID, error: String, next: Nanoseconds, now: Nanoseconds
    ) throws(CatalogueError)

    /// At most `limit` of what failed is due: what it failed for is over.
    ///
    /// Returns whether there may be more.
    func makeFailuresDue(now: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool

    /// At most `limit` of what is due later than `latest` is due then: the clock went back.
    ///
    /// Returns whether there may be more.
    func clampDue(to latest: Nanoseconds, limit: Int) throws(CatalogueError) -> Bool

    /// Main storage does not have a deleted resource any more: Delete.4.
    ///
    /// Its inode number stays: a power cut can bring the copy back.
    func markDeletedNotInMain(_ id: ResourceID) throws(CatalogueError)

    /// An unwanted version's object is gone.
    func forgetVersion(_ id: VersionID) throws(CatalogueError)

    /// Nothing is left to do for a resource in the background.
    func settle(_ id: ResourceID) throws(CatalogueError)

    /// What was begun and not committed is not wanted.
    func abandonUploads(of id: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// Nothing of this live file waits for an upload any more; what was begun is abandoned.
    func settleUpload(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// An upload that nobody waits for is the background's, unless it has a time for it already or there is nothing to
    /// upload any more.
    func makeUploadDue(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// All files whose content may not be in backup are the background's.
    ///
    /// `areSuspect`: the last run did not end cleanly, so the versions that they replace are kept for a while.
    func makeUploadsDue(areSuspect: Bool, now: Nanoseconds) throws(CatalogueError)

    /// An upload that had nothing to do although it was due: it is looked at again later.
    func postponeIfDue(_ id: ResourceID, now: Nanoseconds, until due: Nanoseconds) throws(CatalogueError)

    /// Background work on a resource is looked at again later; nothing failed.
    func postpone(_ id: ResourceID, until due: Nanoseconds) throws(CatalogueError)

    /// Remembers a failure that is tried again elsewhere.
    func noteError(_ id: ResourceID, error: String, now: Nanoseconds) throws(CatalogueError)

    /// An upload in parts has begun on the server.
    func beginMultipartUpload(key: String, id: String) throws(CatalogueError)

    /// An upload in parts was finished or aborted; one that is not on record is none either way.
    func endMultipartUpload(key: String, id: String) throws(CatalogueError)

    /// The live resource with this number, or `.noSuchResource`.
    func live(_ id: ResourceID) throws(CatalogueError) -> Resource

    /// Remembers a setting of this catalogue.
    func set(_ key: String, to value: String) throws(CatalogueError)

    /// Replaces the mode, owner and times of a resource by those of `changed`, whatever its status.
    func updateAttributes(_ changed: Resource) throws(CatalogueError)

    /// Sets an extended attribute.
    func setXattr(_ id: ResourceID, _ name: XattrName, _ value: [UInt8], now: Nanoseconds) throws(CatalogueError)

    /// Removes an extended attribute; false if it was not set.
    func removeXattr(_ id: ResourceID, _ name: XattrName, now: Nanoseconds) throws(CatalogueError) -> Bool

    /// Notes that something is about to be set aside; returns its number.
    func addAside(
        _ path: [[UInt8]], _ reason: AsideEntry.Reason, of resource: ResourceID?, now: Nanoseconds
    ) throws(CatalogueError) -> Int64

    /// It lies where its row says.
    func settleAside(_ id: Int64) throws(CatalogueError)

    /// It is about to be brought back under a name that nothing has.
    func beginRestore(_ id: Int64, _ dentry: Dentry) throws(CatalogueError)

    /// It is not there any more: never moved, brought back, or discarded.
    func forgetAside(_ id: Int64) throws(CatalogueError)

    /// The object that a live file's row names is not in backup as it was stored there.
    ///
    /// Returns nil, and changes nothing, if the row names another version by now.
    func noteLoss(
        of version: Version, hasMainCopy: Bool, error: String, now: Nanoseconds
    ) throws(CatalogueError) -> ObjectLoss?

    /// The object that a row names is back; nothing happens if it names another one by now.
    func noteReturn(of version: Version) throws(CatalogueError)

    /// Has the journal tell of a resource as if it had changed.
    func tell(_ id: ResourceID) throws(CatalogueError)

    /// Notes an object that nobody needs: it goes after `until`, unless that is known to be wrong by then.
    func keepOrphan(_ version: Version, until: Nanoseconds, now: Nanoseconds) throws(CatalogueError)

    /// Removes the rows, up to the number `last`, of files that were being made and of which no storage has a byte.
    func forgetUnstored(through last: ResourceID, now: Nanoseconds) throws(CatalogueError)

    /// Every change up to the one with this number is in backup.
    func shipped(through last: Int64) throws(CatalogueError)

    /// Forgets a setting of this catalogue.
    func unset(_ key: String) throws(CatalogueError)
}
