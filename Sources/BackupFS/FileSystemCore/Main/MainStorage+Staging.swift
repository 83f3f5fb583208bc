// Files on their way into main: they are complete before they get a name that a user can see.

import Catalogue
import Glibc
import Linux

/// A file in `.backupfs/staging/`.
struct StagedFile: Sendable {
    let descriptor: Descriptor
    /// Its name there, which nothing else ever has; nil if it has none, on another disk.
    ///
    /// Who places it places this file.
    fileprivate let name: String?
}

extension MainStorage {
    /// Makes an empty file in staging; `purpose` is for whoever looks there.
    ///
    /// It must be placed or removed. Where `directory`, which it is for, is on another disk, it is made there, without a name.
    func stage(_ purpose: String, for directory: Descriptor? = nil) throws(FileSystemError) -> StagedFile {
        if let directory, otherDisks.isElsewhere(directory) {
            let file = try beneath(
                directory, Array(".".utf8), O_RDWR | openNameless, mode: 0o600, during: "create on another disk of main"
            )
            return StagedFile(descriptor: file, name: nil)
        }
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
    func removeStaged(_ file: StagedFile) {
        if let name = file.name { unlinkat(staging.number, name, 0) }
    }

    /// Moves a finished file from staging to its place, which must be free (EEXIST otherwise).
    func place(_ file: StagedFile, _ entry: MainEntry) throws(FileSystemError) {
        guard let name = file.name else { return try link(file.descriptor, entry) }
        try check(
            entry.at { renameExclusively(staging.number, name, $0, $1) }, "rename")
    }
}
