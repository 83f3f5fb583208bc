import FileSystemCore
import Glibc

/// The state directory of a first mount.
enum NewState {
    /// The log's name in the state directory.
    static let logName = "backupfs.log"

    /// Removes what a refused first mount has made in its main directory, and nothing else.
    ///
    /// Only for a state directory that this process has made itself: the lock on it is still held.
    static func discard(_ main: MainStorage) {
        let directory = main.privateDirectory.number
        let catalogue = ControlProtocol.catalogueName
        for name in [catalogue, catalogue + "-wal", catalogue + "-shm", logName, "lock"] {
            unlinkat(directory, name, 0)
        }
        for name in ["staging", "aside"] { unlinkat(directory, name, AT_REMOVEDIR) }
        unlinkat(main.root.number, ControlProtocol.stateDirectoryName, AT_REMOVEDIR)
    }
}
