// What a MAIN has when its catalogue comes from the backup: files that are what the backup has are main's copies, and
// everything else is set aside. Nothing is downloaded that is there, and nothing is lost.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage

/// Compares MAIN with a catalogue that was restored; nobody uses either.
struct MainMatcher {
    struct Outcome {
        var kept = 0
        var setAside = 0
        var compared = 0
    }

    private let main: MainStorage
    private let logger: Logger

    init(main: MainStorage, logger: Logger) {
        self.main = main
        self.logger = logger
    }

    func match(_ progress: (RestoreProgress) -> Void) throws(FileSystemError) -> Outcome {
        let counters = Counters()
        let catalogue = CatalogueClient(
            try open(), work: WorkSignal(), counters: counters, logger: logger)
        let tree = MainTree(main: main, catalogue: catalogue, counters: counters, logger: logger)
        var outcome = Outcome()
        var matched: Result<Void, FileSystemError> = .success(())
        do throws(FileSystemError) {
            try match(tree, &outcome, progress)
        } catch {
            matched = .failure(error)
        }
        do throws(CatalogueError) { try catalogue.catalogue.close() } catch { throw .catalogue(error) }
        try matched.get()
        return outcome
    }

    private func open() throws(FileSystemError) -> any ResourceCatalogue {
        do throws(CatalogueError) {
            return try SQLiteCatalogue(directory: main.privateDirectory.number)
        } catch {
            throw .catalogue(error)
        }
    }

    private func match(
        _ tree: MainTree, _ outcome: inout Outcome, _ progress: (RestoreProgress) -> Void
    ) throws(FileSystemError) {
        var directories: [(id: ResourceID, path: [[UInt8]])] = [(.root, [])]
        while let next = directories.popLast() {
            let directory = try main.openDirectory(next.path)
            for entry in try main.entries(in: directory) {
                if next.id == .root, entry.name == MainStorage.reservedName { continue }
                let row = try tree.catalogue.lookup(Dentry(next.id, entry.name))
                let place = try MainEntry(directory, entry.name)
                if let row, entry.kind == .directory, row.kind == .directory {
                    directories.append((row.id, next.path + [entry.name]))
                } else if let row, try isSame(row, entry, place, tree, &outcome) {
                    if row.kind == .file { outcome.kept += 1 }
                } else {
                    try tree.setAside(place, row == nil ? .unknown : .unacknowledged, of: row?.id)
                    outcome.setAside += 1
                }
                progress(.comparing(files: outcome.compared))
            }
        }
    }

    /// Whether main has what the backup has; a file is noted as main's copy then.
    private func isSame(
        _ row: Resource, _ entry: MainStorage.Entry, _ place: MainEntry, _ tree: MainTree, _ outcome: inout Outcome
    ) throws(FileSystemError) -> Bool {
        guard entry.kind == row.kind else { return false }
        if row.kind == .symlink { return entry.attributes.target == row.target }
        guard row.kind == .file else { return true }
        // Under another of its names it was compared already.
        if row.inMain { return entry.attributes.inode == row.mainInode }
        guard row.inBackup, let version = try tree.catalogue.storedVersion(of: row),
            version.size == entry.attributes.size, let copy = try main.openFile(place, writing: false)
        else { return false }
        outcome.compared += 1
        let before = try copy.status()
        let digests = try? ContentDigests(ofFile: copy.number, length: version.size, .content)
        let after = try copy.status()
        guard digests?.sha256 == version.sha256, Nanoseconds(before.st_ctim) == Nanoseconds(after.st_ctim) else {
            return false
        }
        try tree.catalogue.change(
            .processCrash,
            .markMainCopy(row.id, inode: UInt64(after.st_ino), modified: Nanoseconds(after.st_mtim)))
        return true
    }
}
