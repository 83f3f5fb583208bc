// What a catalogue can be asked: the questions that every database behind it answers, all about one consistent snapshot.

/// Questions to one consistent snapshot of the catalogue.
package protocol CatalogueQuestions {
    /// Counts for `status`; the root directory is not counted.
    func counts() throws(CatalogueError) -> ResourceCounts

    /// How many leftovers there are.
    func leftoverCount() throws(CatalogueError) -> Int

    /// Up to `limit` things that do not match, from a position on, oldest resource first and then versions; and where the
    /// next page begins, nil after the last.
    ///
    /// A file that is being written, and has not failed yet, is work in progress and not listed; nor is a main copy
    /// that is missing while backup has the file: reading it brings it back.
    func leftovers(
        from position: LeftoverPosition, limit: Int
    ) throws(CatalogueError) -> (page: [Leftover], next: LeftoverPosition?)

    /// How many files, deleted ones too, have their number in a range; reads all of it.
    func files(from first: ResourceID, through last: ResourceID) throws(CatalogueError) -> Int

    /// How many of them are live, and wait for an upload or are in no storage.
    func filesNotInBackup(from first: ResourceID, through last: ResourceID) throws(CatalogueError) -> Int

    /// The highest number of a file whose content waits for its upload and that nobody is writing; 0 if none does.
    func lastAcknowledgedUpload() throws(CatalogueError) -> ResourceID

    /// How many files up to `last` wait for their upload while nobody is writing them.
    func acknowledgedUploads(through last: ResourceID) throws(CatalogueError) -> Int

    /// Up to `limit` of those files, after `first`.
    func acknowledgedUploads(
        after first: ResourceID, through last: ResourceID, limit: Int
    ) throws(CatalogueError) -> [ResourceID]

    /// Resources whose background work is due at `now`, the longest due first.
    func dueResources(
        now: Nanoseconds, limit: Int
    ) throws(CatalogueError) -> [(resource: Resource, attempts: Int)]

    /// Versions whose removal is due at `now`, the longest due first; none of which the journal has to tell first.
    func dueRemovals(now: Nanoseconds, limit: Int) throws(CatalogueError) -> [(version: Version, attempts: Int)]

    /// When the next background work on a resource is due after `time`; nil if there is none.
    func nextDueResource(after time: Nanoseconds) throws(CatalogueError) -> Nanoseconds?

    /// When the next removal of a version is due; nil if none is.
    func nextDueRemoval() throws(CatalogueError) -> Nanoseconds?

    /// The versions of a resource that are in backup or may be.
    func versions(of id: ResourceID) throws(CatalogueError) -> [Version]

    /// The versions of a resource that may be removed now.
    func unwantedVersions(of id: ResourceID) throws(CatalogueError) -> [Version]

    /// Resources that were being created and are not known to be in main.
    func creating() throws(CatalogueError) -> [Resource]

    /// All live directories, the oldest first.
    func directories() throws(CatalogueError) -> [Resource]

    /// The deleted resource that had this name last, and this inode number in main; nil if none had.
    ///
    /// Inode numbers are used again: what has changed (`changed`, its ctime) after the deletion is something else.
    func deletedResource(
        _ dentry: Dentry, mainInode: UInt64, changed: Nanoseconds
    ) throws(CatalogueError) -> ResourceID?

    /// Whether main had the file before it had a row.
    func isAdopted(_ id: ResourceID) throws(CatalogueError) -> Bool

    /// Whether an upload of the file was begun whose end is not known.
    func hasBegunUpload(_ id: ResourceID) throws(CatalogueError) -> Bool

    /// The version whose upload was begun last, and whose end is not known.
    func begunUpload(_ id: ResourceID) throws(CatalogueError) -> Version?

    /// Files with a version in backup whose content may not be there.
    func aheadOfBackup() throws(CatalogueError) -> [Resource]

    /// Versions whose upload was begun and not committed, and whose resource waits for no upload.
    func unwantedUploads() throws(CatalogueError) -> [Version]

    /// Renames that main storage may not have followed, oldest first.
    func renameIntents() throws(CatalogueError) -> [RenameIntent]

    /// Whether a rename that may still be taken back has deleted the resource.
    func isBeingReplaced(_ id: ResourceID) throws(CatalogueError) -> Bool

    /// Changes of names that main storage may not have followed, oldest first.
    func nameIntents() throws(CatalogueError) -> [NameIntent]

    /// How often background work on a resource has failed in a row.
    func attempts(_ id: ResourceID) throws(CatalogueError) -> Int

    /// How many contents of a resource were uploaded and acknowledged, superseded ones included.
    func versionNumber(of id: ResourceID) throws(CatalogueError) -> Int64

    /// Files that wait for an upload although nobody is to do it: nothing may ever be in this state without a writer.
    func forgottenUploads() throws(CatalogueError) -> [ResourceID]

    /// The number of the last change that waits for the journal; 0 if none does.
    func lastJournalEntry() throws(CatalogueError) -> Int64

    /// The number of the newest change, shipped or not; 0 before the first.
    func newestJournalEntry() throws(CatalogueError) -> Int64

    /// How many changes up to `last` wait for the journal.
    func journalEntries(through last: Int64) throws(CatalogueError) -> Int

    /// The row, deleted or not; nil if there never was one.
    func resource(_ id: ResourceID) throws(CatalogueError) -> Resource?

    /// The live resource of a name; nil if there is none.
    func lookup(_ dentry: Dentry) throws(CatalogueError) -> Resource?

    /// Up to `limit` entries of a directory after `cookie`, in the order of their creation.
    func list(
        _ directory: ResourceID, after cookie: Int64, limit: Int
    ) throws(CatalogueError) -> [DirectoryEntry]

    /// The directory that holds the resource's (first) name, and that name; nil for the root and for what has no name.
    func location(of id: ResourceID) throws(CatalogueError) -> Dentry?

    /// All directories and names that a resource is in, the oldest first.
    func locations(of id: ResourceID) throws(CatalogueError) -> [Dentry]

    /// The names from the root down to a live resource; nil if it has no name (any more).
    ///
    /// The root's path is empty.
    func path(of id: ResourceID) throws(CatalogueError) -> [[UInt8]]?

    /// The resource at a path below the root.
    ///
    /// If no live one is there, the one deleted last under that name.
    func resource(atPath path: [[UInt8]]) throws(CatalogueError) -> Resource?

    /// Where a deleted resource last was: its directory and name there.
    func deletedLocation(of id: ResourceID) throws(CatalogueError) -> Dentry?

    /// The names from the root down to a resource; where it has been deleted, those it had last.
    func lastPath(of id: ResourceID) throws(CatalogueError) -> [[UInt8]]

    /// A setting of this catalogue; nil if it was never set.
    func setting(_ key: String) throws(CatalogueError) -> String?

    /// The names of a resource's extended attributes.
    func xattrNames(_ id: ResourceID) throws(CatalogueError) -> [XattrName]

    /// The value of an extended attribute; nil if it is not set.
    func xattr(_ id: ResourceID, _ name: XattrName) throws(CatalogueError) -> [UInt8]?

    /// The version row with this number.
    func version(_ id: VersionID) throws(CatalogueError) -> Version?

    /// The uploads in parts that were begun and neither finished nor aborted.
    func multipartUploads() throws(CatalogueError) -> [(key: String, id: String)]

    /// Up to `limit` of what was set aside, in the order in which that happened, after the number `id`.
    func setAside(after id: Int64, limit: Int) throws(CatalogueError) -> [AsideEntry]

    /// One of what was set aside; nil if there is none with this number.
    func setAside(_ id: Int64) throws(CatalogueError) -> AsideEntry?

    /// What was under way when the last daemon ended: on its way aside, or back.
    func unsettledAside() throws(CatalogueError) -> [AsideEntry]

    /// How many things are set aside.
    func asideCount() throws(CatalogueError) -> Int

    /// Up to `limit` objects that files live on, by key in bytewise order: those after `first`, up to `last` with it.
    func storedObjects(
        after first: String, through last: String, limit: Int
    ) throws(CatalogueError) -> [StoredObject]

    /// Up to `limit` live files that are in backup, by chance; reads all of them.
    func someFiles(_ limit: Int) throws(CatalogueError) -> [Resource]

    /// Up to `limit` live files after `first` that are in backup and not in main, by their numbers.
    func filesInBackupOnly(after first: ResourceID, limit: Int) throws(CatalogueError) -> [Resource]

    /// Those of the keys that are on record, whatever is to become of their objects.
    func knownKeys(_ keys: [String]) throws(CatalogueError) -> Set<String>

    /// Tells the state of every entity that changed and was not shipped, each once.
    func journal(_ receive: (JournalRecord) -> Void) throws(CatalogueError)

    /// Tells the state of everything that is, but for what was deleted and has no content left.
    func everything(_ receive: (JournalRecord) -> Void) throws(CatalogueError)

    /// The earliest moment at which an upload began whose end is not known; nil if all have ended.
    func earliestUpload() throws(CatalogueError) -> ChangePoint?
}
