// A file's main copy under the names that the file has, and what is moved out of its way.

import Catalogue
import Glibc
import Linux

extension MainTree {
    /// Opens the main copy under the name that comes first, or, if only that was lost, under another one of the file's; the
    /// names that lack it get it again.
    ///
    /// The outer nil: it has no name (any more). The inner one: main has no copy of it.
    func mainCopy(_ row: Resource) throws(FileSystemError) -> Descriptor?? {
        let found = try atLocation(of: row.id) { (entry) throws(FileSystemError) in
            try main.openFile(entry, writing: false)
        }
        guard case .some(.none) = found, row.linkCount > 1, row.mainInode != 0 else { return found }
        let places = try catalogue.locations(of: row.id)
        var copy: Descriptor?
        for place in places where copy == nil {
            copy =
                try atName(of: row.id, place) { (entry) throws(FileSystemError) in
                    guard try main.inode(entry) == row.mainInode else { return nil }
                    return try main.openFile(entry, writing: false)
                } ?? nil
        }
        guard let copy else { return found }
        try nameEverywhere(copy, row.id, places)
        return copy
    }

    /// Gives a main copy those of its file's names that main lacks.
    func nameEverywhere(
        _ copy: Descriptor, _ id: ResourceID, _ places: [Dentry]
    ) throws(FileSystemError) {
        for place in places {
            _ = try atName(of: id, place) { (entry) throws(FileSystemError) in
                if try main.status(entry) == nil { try main.link(copy, entry) }
            }
        }
    }

    /// Read.3: the row says main, and main does not have it.
    func noteMissing(_ row: Resource) {
        logger.warning("the main copy of a file is missing", metadata: ["inode": "\(row.id.rawValue)"])
        catalogue.record("Read.3", .markNotInMain(row))
    }

    // MARK: Right, and not on the disk yet

    /// Notes in the row that main has a copy whose content is the row's, and leaves it to the next sync to vouch for it.
    ///
    /// Not later: who opens the file next must find it in main.
    func noteCopy(_ copy: Descriptor, of row: Resource) throws(FileSystemError) {
        let seen = MainCopy(try copy.status())
        try catalogue.change(.processCrash, .markMainCopy(row.id, inode: seen.inode, modified: MainCopy.unsynced))
        unsynced.note(UnsyncedCopy(id: row.id, version: row.version, copy: seen, rowModified: row.modified))
    }

    /// Main was synced since these copies were made: their rows describe them from now on.
    ///
    /// The commit comes after the sync. If it is lost, the copy is compared once more.
    func vouch(for copies: [UnsyncedCopy]) throws(FileSystemError) {
        // Those that a sync of somebody else's has not found wanting.
        let known = Set(unsynced.all)
        let good = copies.filter { known.contains($0) }
        for start in stride(from: 0, to: good.count, by: StoreHealth.rowsAtOnce) {
            let some = Array(good[start..<min(start + StoreHealth.rowsAtOnce, good.count)])
            try catalogue.change(.processCrash, .vouch(for: some))
            unsynced.settle(some)
        }
    }

    /// Removes a copy that was recovered, and that a power cut has torn: it was never anybody's data but backup's.
    func removeTorn(_ copy: Descriptor, of row: Resource) throws(FileSystemError) {
        let inode = try copy.status().st_ino
        for place in try catalogue.locations(of: row.id) {
            _ = try atName(of: row.id, place) { (entry) throws(FileSystemError) in
                guard try main.status(entry)?.st_ino == inode else { return }
                _ = try main.remove(entry, isDirectory: false)
            }
        }
        catalogue.record("Read.3", .markNotInMain(row))
        logger.warning(
            "a copy that was recovered just before a power cut is torn and was removed",
            metadata: ["inode": "\(row.id.rawValue)"])
    }

    // MARK: Out of the way

    /// Moves what lies under a name in main to `.backupfs/aside/ID/`, where it keeps its path and its inode; false if
    /// nothing does.
    ///
    /// Its row comes first: nothing is moved and forgotten. `resource` is the file whose copy it was. The name is held still
    /// by the caller.
    @discardableResult
    func setAside(
        _ entry: MainEntry, _ reason: AsideEntry.Reason, of resource: ResourceID? = nil
    ) throws(FileSystemError) -> Bool {
        guard try main.status(entry) != nil else { return false }
        let path = main.path(of: entry.directory) + [entry.name]
        let id = try catalogue.change(.powerLoss, .addAside(path, reason, of: resource, now: currentTime()))
        pass("aside.row")
        guard try main.moveAside(entry, path, id) else {
            try catalogue.change(.processCrash, .forgetAside(id))
            return false
        }
        pass("aside.moved")
        catalogue.record("Aside.2", .settleAside(id))
        counters.add(\.setAside)
        logger.error(
            "something in main was set aside: `backupfs aside` shows it and brings it back",
            metadata: ["aside": "\(id)", "reason": "\(reason.rawValue)", "inode": "\(resource?.rawValue ?? 0)"])
        return true
    }

    /// Moves a main copy that is not to be trusted out of the way, unless its name is another file's by now.
    func setAside(_ copy: Descriptor, of row: Resource, _ reason: AsideEntry.Reason) throws(FileSystemError) {
        let inode = try copy.status().st_ino
        _ = try atLocation(of: row.id) { (entry) throws(FileSystemError) in
            guard try main.status(entry)?.st_ino == inode else { return }
            try setAside(entry, reason, of: row.id)
            noteMissing(row)
        }
    }

    /// Moves what the catalogue does not know of out of the way of a new file.
    func clearTheWay(_ entry: MainEntry) throws(FileSystemError) {
        try setAside(entry, .unknown)
    }
}
