// Files on their way into main: they are complete before they get a name that a user can see.

import Catalogue
import Glibc
import Linux

/// A file in `.backupfs/staging/`.
struct StagedFile: Sendable {
    let descriptor: Descriptor
    /// Its name there, which nothing else ever has: who places it places this file.
    fileprivate let name: String
}

extension MainStorage {
    /// Makes an empty file in staging; `purpose` is for whoever looks there.
    ///
    /// It must be placed or removed.
    func stage(_ purpose: String) throws(FileSystemError) -> StagedFile {
        let name = "\(purpose)-\(VersionID(now: currentTime()))"
        let descriptor = try beneath(
            staging, Array(name.utf8), O_RDWR | O_CREAT | O_EXCL, mode: 0o600, during: "create in staging")
        return StagedFile(descriptor: descriptor, name: name)
    }

    /// Makes an empty file that has no name, and is gone when its last descriptor is.
    func createNameless(_ purpose: String) throws(FileSystemError) -> Descriptor {
        let staged = try stage(purpose)
        removeStaged(staged)
        return staged.descriptor
    }

    /// Takes away the name in staging; nothing happens if the file was placed.
    func removeStaged(_ file: StagedFile) { unlinkat(staging.number, file.name, 0) }

    /// Moves a finished file from staging to its place, which must be free (EEXIST otherwise).
    func place(_ file: StagedFile, _ entry: MainEntry) throws(FileSystemError) {
        try check(
            entry.at { renameExclusively(staging.number, file.name, $0, $1) }, "rename")
    }
}
