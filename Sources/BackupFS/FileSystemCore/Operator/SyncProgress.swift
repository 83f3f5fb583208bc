/// What a `sync` still waits for.
package struct SyncProgress: Codable, Sendable, Equatable {
    /// Versions of files still to be uploaded.
    package var uploads: Int
    /// Objects still to be removed.
    package var removals: Int
    /// Changes the journal has not shipped yet.
    package var journal: Int

    package init(uploads: Int, removals: Int, journal: Int) {
        self.uploads = uploads
        self.removals = removals
        self.journal = journal
    }

    /// Everything it waits for.
    package var remaining: Int { uploads + removals + journal }
}
