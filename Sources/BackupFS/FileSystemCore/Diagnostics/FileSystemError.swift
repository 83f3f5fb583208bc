import Catalogue
import Linux
import ObjectStorage

/// What can go wrong in the file system.
///
/// Cases say what happened; FuseBinding chooses the errno in one place.
package enum FileSystemError: Error, Sendable, Equatable {
    /// The catalogue refused or failed.
    case catalogue(CatalogueError)
    /// A system call on main storage failed with this errno.
    case main(errno: Int32, during: String)
    /// Backup storage refused or failed.
    case backup(ObjectStoreError)
    /// The backup did not finish before the deadline of the call.
    case backupTimedOut
    /// A valid resource that no storage has.
    case inNoStorage
    /// The content could not be read twice the same: other programs keep changing it.
    case contentKeepsChanging
    /// Main storage lost written data (a failed fsync); the open file cannot be trusted any more.
    case mainLostData
    /// The name is longer than 255 bytes.
    case nameTooLong
    /// The name belongs to BackupFS.
    case reservedName
    /// The extended attribute is not set.
    case noSuchXattr
    /// The extended attribute exists already (XATTR_CREATE).
    case xattrExists
    /// The operation is not supported for this kind of resource or attribute.
    case notSupported
    /// Not permitted for this kind of resource.
    case denied
    /// The operation makes no sense for this kind of resource.
    case invalid
    /// The file system is shutting down.
    case shuttingDown
}

extension FileSystemError: CustomStringConvertible {
    /// One plain line for an operator.
    package var description: String {
        switch self {
        case .catalogue(let error): "the catalogue: \(error)"
        case .main(let code, let operation): "main storage: \(operation) failed (\(errnoText(code)))"
        case .backup(let error): "\(error)"
        case .backupTimedOut: "the backup did not finish in time"
        case .inNoStorage: "no storage has the file"
        case .contentKeepsChanging: "the file changed each time it was read for the backup"
        case .mainLostData: "main storage failed to write data that it had accepted"
        case .nameTooLong: "the name is longer than 255 bytes"
        case .reservedName: "the name .backupfs belongs to BackupFS"
        case .noSuchXattr: "the extended attribute is not set"
        case .xattrExists: "the extended attribute is set already"
        case .notSupported: "not supported"
        case .denied: "permission denied"
        case .invalid: "invalid argument"
        case .shuttingDown: "the file system is being unmounted"
        }
    }
}
