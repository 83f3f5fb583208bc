/// What can go wrong in the catalogue.
///
/// Cases say what happened; the errno is chosen in FuseBinding.
package enum CatalogueError: Error, Sendable, Equatable {
    /// No live row has this name or number.
    case noSuchResource
    /// The name is taken (Write.1).
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
    /// The file is no database of SQLite's, or a damaged one; `message` says where.
    case damaged(message: String)
    /// SQLite failed otherwise; `message` is SQLite's own.
    case database(message: String)
}

extension CatalogueError: CustomStringConvertible {
    /// One plain line for an operator.
    package var description: String {
        switch self {
        case .noSuchResource: "no such file"
        case .nameTaken: "the name is taken"
        case .notDirectory: "not a directory"
        case .isDirectory: "it is a directory"
        case .notEmpty: "the directory is not empty"
        case .wouldLoop: "a directory cannot be moved into itself"
        case .diskFull: "the disk that holds it is full"
        case .newerSchema: "it was written by a newer version of BackupFS"
        case .damaged(let message): "catalogue.sqlite is damaged (\(message))"
        case .database(let message): message
        }
    }
}
