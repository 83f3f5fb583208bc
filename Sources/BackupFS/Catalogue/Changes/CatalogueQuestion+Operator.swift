// What operators ask, and the comparison of the bucket: each one snapshot.

/// What waits for backup when somebody begins to wait for it.
package struct WaitedFor: Sendable {
    /// The last file of those that wait for their upload.
    package var upload: ResourceID
    /// The last change that waits for the journal.
    package var journal: Int64
}

/// How many files main held at the first mount, and how many of those wait for backup.
package struct AdoptionCount: Sendable {
    package var files: Int
    package var pending: Int
}

extension CatalogueQuestion where Answer == ResourceCounts {
    /// Counts for `status`.
    package static var counts: Self { Self { reader throws(CatalogueError) in try reader.counts() } }
}

extension CatalogueQuestion where Answer == AdoptionCount? {
    /// How far the adopted files are; nil: there were none.
    ///
    /// `known` spares the counting of how many they were.
    package static func adoption(known: Int?) -> Self {
        Self { reader throws(CatalogueError) in
            guard let first = try reader.setting(Setting.firstAdopted).flatMap({ Int64($0) }).map(ResourceID.init),
                let last = try reader.setting(Setting.lastAdopted).flatMap({ Int64($0) }).map(ResourceID.init)
            else { return nil }
            let pending = try reader.filesNotInBackup(from: first, through: last)
            if let known { return AdoptionCount(files: known, pending: pending) }
            return AdoptionCount(files: try reader.files(from: first, through: last), pending: pending)
        }
    }
}

extension CatalogueQuestion where Answer == Resource? {
    /// The resource at a path below the root; if no live one is there, the one deleted last under that name.
    package static func resource(atPath path: [[UInt8]]) -> Self {
        Self { reader throws(CatalogueError) in try reader.resource(atPath: path) }
    }
}

extension CatalogueQuestion where Answer == Int64 {
    /// How many contents of a resource were uploaded and acknowledged.
    package static func versionNumber(of id: ResourceID) -> Self {
        Self { reader throws(CatalogueError) in try reader.versionNumber(of: id) }
    }
}

extension CatalogueQuestion where Answer == (page: [Leftover], next: LeftoverPosition?) {
    /// A page of leftovers with their paths, and where the next one begins.
    package static func leftovers(from position: LeftoverPosition, limit: Int) -> Self {
        Self { reader throws(CatalogueError) in
            var found = try reader.leftovers(from: position, limit: limit)
            for index in found.page.indices {
                found.page[index].path = try reader.lastPath(of: found.page[index].resource.id)
            }
            return found
        }
    }
}

extension CatalogueQuestion where Answer == Int {
    /// How many leftovers there are.
    package static var leftoverCount: Self { Self { reader throws(CatalogueError) in try reader.leftoverCount() } }
}

extension CatalogueQuestion where Answer == WaitedFor {
    /// The last upload and the last change that wait for backup now.
    package static var waitedFor: Self {
        Self { reader throws(CatalogueError) in
            WaitedFor(upload: try reader.lastAcknowledgedUpload(), journal: try reader.lastJournalEntry())
        }
    }
}

extension CatalogueQuestion where Answer == (uploads: Int, journal: Int) {
    /// How much of it waits still.
    package static func waiting(for what: WaitedFor) -> Self {
        Self { reader throws(CatalogueError) in
            (
                uploads: try reader.acknowledgedUploads(through: what.upload),
                journal: try reader.journalEntries(through: what.journal)
            )
        }
    }
}

extension CatalogueQuestion where Answer == [ResourceID] {
    /// Up to `limit` files whose content waits for its upload while nobody is writing, after `first`.
    package static func acknowledgedUploads(after first: ResourceID, through last: ResourceID, limit: Int) -> Self {
        Self { reader throws(CatalogueError) in
            try reader.acknowledgedUploads(after: first, through: last, limit: limit)
        }
    }
}

extension CatalogueQuestion where Answer == [AsideEntry] {
    /// Up to `limit` of what was set aside, after the number `id`.
    package static func setAside(after id: Int64, limit: Int) -> Self {
        Self { reader throws(CatalogueError) in try reader.setAside(after: id, limit: limit) }
    }
}

extension CatalogueQuestion where Answer == AsideEntry? {
    /// One of what was set aside.
    package static func setAside(_ id: Int64) -> Self {
        Self { reader throws(CatalogueError) in try reader.setAside(id) }
    }
}

extension CatalogueQuestion where Answer == String? {
    /// A setting of the catalogue.
    package static func setting(_ key: String) -> Self {
        Self { reader throws(CatalogueError) in try reader.setting(key) }
    }
}

extension CatalogueQuestion where Answer == [StoredObject] {
    /// Up to `limit` objects that files live on, by key: those after `first`, up to `last` with it.
    package static func storedObjects(after first: String, through last: String, limit: Int) -> Self {
        Self { reader throws(CatalogueError) in
            try reader.storedObjects(after: first, through: last, limit: limit)
        }
    }
}

extension CatalogueQuestion where Answer == [Resource] {
    /// Up to `limit` live files that are in backup, by chance; reads all of them.
    package static func someFiles(_ limit: Int) -> Self {
        Self { reader throws(CatalogueError) in try reader.someFiles(limit) }
    }

    /// Up to `limit` live files after `first` that are in backup and not in main, by their numbers.
    package static func filesInBackupOnly(after first: ResourceID, limit: Int) -> Self {
        Self { reader throws(CatalogueError) in try reader.filesInBackupOnly(after: first, limit: limit) }
    }
}

extension CatalogueQuestion where Answer == Set<String> {
    /// Those of the keys that are on record.
    package static func knownKeys(_ keys: [String]) -> Self {
        Self { reader throws(CatalogueError) in try reader.knownKeys(keys) }
    }
}
