// The questions by name, each about a snapshot of its own (CatalogueQuestions.swift says what they mean).

extension CatalogueAnswering {
    /// Resources whose background work is due at `now`, the longest due first.
    package func dueResources(now: Nanoseconds, limit: Int) throws(Failure) -> [(resource: Resource, attempts: Int)] {
        try answer { reader throws(CatalogueError) in try reader.dueResources(now: now, limit: limit) }
    }

    /// Versions whose removal is due at `now`, the longest due first.
    package func dueRemovals(now: Nanoseconds, limit: Int) throws(Failure) -> [(version: Version, attempts: Int)] {
        try answer { reader throws(CatalogueError) in try reader.dueRemovals(now: now, limit: limit) }
    }

    /// When the next background work on a resource is due after `time`; nil if there is none.
    package func nextDueResource(after time: Nanoseconds) throws(Failure) -> Nanoseconds? {
        try answer { reader throws(CatalogueError) in try reader.nextDueResource(after: time) }
    }

    /// When the next removal of a version is due; nil if none is.
    package func nextDueRemoval() throws(Failure) -> Nanoseconds? {
        try answer { reader throws(CatalogueError) in try reader.nextDueRemoval() }
    }

    /// The versions of a resource that are in backup or may be.
    package func versions(of id: ResourceID) throws(Failure) -> [Version] {
        try answer { reader throws(CatalogueError) in try reader.versions(of: id) }
    }

    /// The versions of a resource that are to be removed now.
    package func unwantedVersions(of id: ResourceID) throws(Failure) -> [Version] {
        try answer { reader throws(CatalogueError) in try reader.unwantedVersions(of: id) }
    }

    /// Resources that were being created and are not known to be in main.
    package func creating() throws(Failure) -> [Resource] {
        try answer { reader throws(CatalogueError) in try reader.creating() }
    }

    /// All live directories, the oldest first.
    package func directories() throws(Failure) -> [Resource] {
        try answer { reader throws(CatalogueError) in try reader.directories() }
    }

    /// The deleted resource that had this name last, and this inode number in main; nil if none had.
    package func deletedResource(
        _ dentry: Dentry, mainInode: UInt64, changed: Nanoseconds
    ) throws(Failure) -> ResourceID? {
        try answer { reader throws(CatalogueError) in
            try reader.deletedResource(dentry, mainInode: mainInode, changed: changed)
        }
    }

    /// Whether main had the file before it had a row.
    package func isAdopted(_ id: ResourceID) throws(Failure) -> Bool {
        try answer { reader throws(CatalogueError) in try reader.isAdopted(id) }
    }

    /// Whether an upload of the file was begun whose end is not known.
    package func hasBegunUpload(_ id: ResourceID) throws(Failure) -> Bool {
        try answer { reader throws(CatalogueError) in try reader.hasBegunUpload(id) }
    }

    /// The version whose upload was begun last, and whose end is not known.
    package func begunUpload(_ id: ResourceID) throws(Failure) -> Version? {
        try answer { reader throws(CatalogueError) in try reader.begunUpload(id) }
    }

    /// Files whose content may not be in backup, though some content of theirs is, or may be.
    package func aheadOfBackup() throws(Failure) -> [Resource] {
        try answer { reader throws(CatalogueError) in try reader.aheadOfBackup() }
    }

    /// Versions whose upload was begun and not committed, and whose resource waits for no upload.
    package func unwantedUploads() throws(Failure) -> [Version] {
        try answer { reader throws(CatalogueError) in try reader.unwantedUploads() }
    }

    /// Renames that main storage may not have followed, oldest first.
    package func renameIntents() throws(Failure) -> [RenameIntent] {
        try answer { reader throws(CatalogueError) in try reader.renameIntents() }
    }

    /// Whether a rename that may still be taken back has deleted the resource.
    package func isBeingReplaced(_ id: ResourceID) throws(Failure) -> Bool {
        try answer { reader throws(CatalogueError) in try reader.isBeingReplaced(id) }
    }

    /// Changes of names that main storage may not have followed, oldest first.
    package func nameIntents() throws(Failure) -> [NameIntent] {
        try answer { reader throws(CatalogueError) in try reader.nameIntents() }
    }

    /// How often background work on a resource has failed in a row.
    package func attempts(_ id: ResourceID) throws(Failure) -> Int {
        try answer { reader throws(CatalogueError) in try reader.attempts(id) }
    }

    /// The number of the last change that waits for the journal; 0 if none does.
    package func lastJournalEntry() throws(Failure) -> Int64 {
        try answer { reader throws(CatalogueError) in try reader.lastJournalEntry() }
    }

    /// The number of the newest change, shipped or not; 0 before the first.
    package func newestJournalEntry() throws(Failure) -> Int64 {
        try answer { reader throws(CatalogueError) in try reader.newestJournalEntry() }
    }

    /// How many changes up to `last` wait for the journal.
    package func journalEntries(through last: Int64) throws(Failure) -> Int {
        try answer { reader throws(CatalogueError) in try reader.journalEntries(through: last) }
    }

    /// The row, deleted or not; nil if there never was one.
    package func resource(_ id: ResourceID) throws(Failure) -> Resource? {
        if let known = memory?.resource(id) { return known }
        return try answer { reader throws(CatalogueError) in try reader.resource(id) }
    }

    /// The live resource of a name; nil if there is none.
    package func lookup(_ dentry: Dentry) throws(Failure) -> Resource? {
        if let known = memory?.child(dentry) { return known }
        return try answer { reader throws(CatalogueError) in try reader.lookup(dentry) }
    }

    /// Up to `limit` entries of a directory after `cookie`, in the order of their creation.
    package func list(_ directory: ResourceID, after cookie: Int64, limit: Int) throws(Failure) -> [DirectoryEntry] {
        try answer { reader throws(CatalogueError) in try reader.list(directory, after: cookie, limit: limit) }
    }

    /// The directory that holds the resource's (first) name, and that name; nil for the root and for what has no name.
    package func location(of id: ResourceID) throws(Failure) -> Dentry? {
        if let known = memory?.location(of: id) { return known }
        return try answer { reader throws(CatalogueError) in try reader.location(of: id) }
    }

    /// All directories and names that a resource is in, the oldest first.
    package func locations(of id: ResourceID) throws(Failure) -> [Dentry] {
        try answer { reader throws(CatalogueError) in try reader.locations(of: id) }
    }

    /// The names from the root down to a live resource; nil if it has no name (any more).
    package func path(of id: ResourceID) throws(Failure) -> [[UInt8]]? {
        if let known = memory?.path(of: id) { return known }
        return try answer { reader throws(CatalogueError) in try reader.path(of: id) }
    }

    /// The resource at a path below the root.
    package func resource(atPath path: [[UInt8]]) throws(Failure) -> Resource? {
        try answer { reader throws(CatalogueError) in try reader.resource(atPath: path) }
    }

    /// Where a deleted resource last was: its directory and name there.
    package func deletedLocation(of id: ResourceID) throws(Failure) -> Dentry? {
        try answer { reader throws(CatalogueError) in try reader.deletedLocation(of: id) }
    }

    /// A setting of this catalogue; nil if it was never set.
    package func setting(_ key: String) throws(Failure) -> String? {
        try answer { reader throws(CatalogueError) in try reader.setting(key) }
    }

    /// The names of a resource's extended attributes.
    package func xattrNames(_ id: ResourceID) throws(Failure) -> [XattrName] {
        try answer { reader throws(CatalogueError) in try reader.xattrNames(id) }
    }

    /// The value of an extended attribute; nil if it is not set.
    package func xattr(_ id: ResourceID, _ name: XattrName) throws(Failure) -> [UInt8]? {
        if memory?.isBare(id) == true { return nil }
        return try answer { reader throws(CatalogueError) in try reader.xattr(id, name) }
    }

    /// The version row with this number.
    package func version(_ id: VersionID) throws(Failure) -> Version? {
        try answer { reader throws(CatalogueError) in try reader.version(id) }
    }

    /// The uploads in parts that were begun and neither finished nor aborted.
    package func multipartUploads() throws(Failure) -> [(key: String, id: String)] {
        try answer { reader throws(CatalogueError) in try reader.multipartUploads() }
    }

    /// Up to `limit` of what was set aside, in the order in which that happened, after the number `id`.
    package func setAside(after id: Int64, limit: Int) throws(Failure) -> [AsideEntry] {
        try answer { reader throws(CatalogueError) in try reader.setAside(after: id, limit: limit) }
    }

    /// One of what was set aside; nil if there is none with this number.
    package func setAside(_ id: Int64) throws(Failure) -> AsideEntry? {
        try answer { reader throws(CatalogueError) in try reader.setAside(id) }
    }

    /// What was under way when the last daemon ended: on its way aside, or back.
    package func unsettledAside() throws(Failure) -> [AsideEntry] {
        try answer { reader throws(CatalogueError) in try reader.unsettledAside() }
    }

    /// The row, deleted or not; throws `.noSuchResource` if there never was one.
    package func row(_ id: ResourceID) throws(Failure) -> Resource {
        if let known = memory?.resource(id) { return known }
        return try answer { reader throws(CatalogueError) in
            guard let row = try reader.resource(id) else { throw .noSuchResource }
            return row
        }
    }

    /// A resource and the names from the root down to it, of one moment.
    package func resourceAndPath(_ id: ResourceID) throws(Failure) -> (row: Resource?, path: [[UInt8]]?) {
        if let known = memory?.resourceAndPath(id) { return known }
        return try answer { reader throws(CatalogueError) in (try reader.resource(id), try reader.path(of: id)) }
    }

    /// The version in backup that a row names.
    package func storedVersion(of row: Resource) throws(Failure) -> Version? {
        guard let id = row.version else { return nil }
        return try version(id)
    }
}
