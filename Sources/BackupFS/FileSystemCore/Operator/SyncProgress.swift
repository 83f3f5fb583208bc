/// What a `sync` still waits for.
package struct SyncProgress: Codable, Sendable, Equatable {
    /// Versions of files still to be uploaded.
    package var uploads: Int
    /// Changes the journal has not shipped yet.
    package var journal: Int

    package init(uploads: Int, journal: Int) {
        self.uploads = uploads
        self.journal = journal
    }

    /// Everything it waits for.
    package var remaining: Int { uploads + journal }
}
