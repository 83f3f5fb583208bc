import Catalogue
import Glibc
import Linux
import ObjectStorage

/// Why a backup cannot be restored, or read.
package enum RestoreError: Error, Equatable {
    /// Nothing says that a BackupFS has its backup there.
    case noBackup(location: String)
    /// The journal there is of a catalogue with another name than the marker's.
    case anotherCatalogue(location: String)
    /// No part of the journal is whole.
    case noJournal(location: String)
    /// Nothing of it was written by the time that was asked for.
    case noMoment(location: String)
    /// Somebody owns the backup and has just written there: `seconds` ago.
    case inUse(location: String, seconds: Int, host: String)
    case newerFormat(Int64)
    case ownership(OwnershipError)
    case store(ObjectStoreError)
    case catalogue(CatalogueError)
    case main(FileSystemError)
    /// Writing an archive failed with this errno.
    case archive(errno: Int32)
}

extension RestoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noBackup(let location):
            "\(location) holds no BackupFS backup: is it the right bucket and prefix?"
        case .anotherCatalogue(let location):
            "\(location) has the journal of another backup than its marker says: nothing was changed"
        case .noJournal(let location):
            "\(location) has no journal that is whole: its files can be fetched by their keys with any S3 client"
        case .noMoment(let location):
            "\(location) has no state from before that time: `backupfs snapshot --list` shows what there is"
        case .inUse(let location, let seconds, let host):
            "\(location) is in use\(host.isEmpty ? "" : " by \(host)"): it was written \(seconds) s ago; "
                + "unmount it there, or restore with --take-over, and that mount can only read from then on"
        case .newerFormat(let format): "the journal has format \(format): a newer BackupFS is needed to read it"
        case .ownership(let error): "\(error)"
        case .store(let error): "\(error)"
        case .catalogue(let error): "\(FileSystemError.catalogue(error))"
        case .main(let error): "\(error)"
        case .archive(EPIPE): "the archive is not whole: who read it has stopped"
        case .archive(let code): "the archive is not whole: it could not be written (\(errnoText(code)))"
        }
    }
}
