// The one place where an errno is chosen (docs/SEMANTICS.md, Errors).

import Catalogue
import FileSystemCore
import Glibc
import ObjectStorage

extension FileSystemError {
    /// What the program sees.
    var errorNumber: Int32 {
        switch self {
        case .catalogue(let error): error.errorNumber
        case .main(errno: let code, _): code
        case .backup(let error): error.errorNumber
        case .backupTimedOut, .inNoStorage, .contentKeepsChanging, .mainLostData, .shuttingDown: EIO
        case .nameTooLong: ENAMETOOLONG
        case .reservedName: EPERM
        case .noSuchXattr: ENODATA
        case .xattrExists: EEXIST
        case .notSupported: EOPNOTSUPP
        case .denied: EACCES
        case .invalid: EINVAL
        }
    }
}

extension CatalogueError {
    fileprivate var errorNumber: Int32 {
        switch self {
        case .nameTaken: EEXIST
        case .noSuchResource: ENOENT
        case .notDirectory: ENOTDIR
        case .isDirectory: EISDIR
        case .notEmpty: ENOTEMPTY
        case .wouldLoop: EINVAL
        case .diskFull: ENOSPC
        case .newerSchema, .damaged, .database: EIO
        }
    }
}

extension ObjectStoreError {
    /// EDQUOT for a full store: ENOSPC is main's.
    fileprivate var errorNumber: Int32 {
        switch self {
        case .full: EDQUOT
        case .localFile(errno: let code): code
        case .notFound, .noSuchBucket, .denied, .unreachable, .deadlineExceeded, .corrupted, .contentChanged, .rejected:
            EIO
        }
    }
}
