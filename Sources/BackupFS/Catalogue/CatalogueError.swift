/// What can go wrong in the catalogue.
///
/// Cases say what happened; the errno is chosen in FuseBinding.
package enum CatalogueError: Error, Sendable, Equatable {
    /// No live row has this name or number.
    case noSuchResource
    /// The name is taken (the duplicate key check of the write scenario).
    case nameTaken
    /// A directory was needed and the row is something else.
    case notDirectory
    /// Something else than a directory was needed.
    case isDirectory
    /// The directory still has names.
    case notEmpty
    /// A directory cannot be moved below itself.
    case wouldLoop
    /// The disk that holds the catalogue is full.
    case diskFull
    /// The catalogue was written by a newer version of BackupFS.
    case newerSchema
    /// SQLite failed otherwise; `message` is SQLite's own.
    case database(message: String)
}
