// After a power cut main may lack names that the catalogue has, and have others: each was written to the disk in its own
// time. Only directories that changed since the last checkpoint can be concerned, and only those are looked at. The same goes
// for copies that were recovered into them.

import Catalogue
import Glibc
import Linux

extension Repairer {
    /// Compares the directories that changed since the last checkpoint with the catalogue, which is right.
    func repairNames() throws(FileSystemError) {
        let checkpoint = try catalogue.setting(Setting.checkpoint).flatMap { Nanoseconds($0) } ?? 0
        var unlinked: [Place] = []
        var strays = StrayFiles()
        var changed: [ResourceID] = []
        for row in try catalogue.directories() {
            let directory = try tree.directory(row.id)
            let modified = Nanoseconds(try directory.status().st_mtim)
            guard max(row.changed, modified) >= checkpoint else { continue }
            unlinked += try repairNames(in: row.id, directory, &strays)
            changed.append(row.id)
            pass("repair.directory")
        }
        try returnStrays(strays)
        for found in strays.unknown { try settleUnknown(found) }
        for id in changed { try doubtCopies(in: id, try tree.directory(id), since: checkpoint) }
        // When no wrong file has one of the names any more. Without a main copy a recovery gives it all of them.
        for place in unlinked { try tree.link(place.resource, place.dentry) }
    }

    /// A name that a file with several lacks in main.
    private struct Place {
        var resource: ResourceID
        var dentry: Dentry
    }

    /// Returns the names that files with others lack.
    private func repairNames(
        in id: ResourceID, _ directory: Descriptor, _ strays: inout StrayFiles
    ) throws(FileSystemError) -> [Place] {
        let rows = try catalogue.list(id, after: 0, limit: .max)
        var missing: [[UInt8]: Resource] = [:]
        for row in rows { missing[row.name] = row.resource }
        for entry in try main.entries(in: directory) {
            if id == .root, entry.name == MainStorage.reservedName { continue }
            guard let row = missing[entry.name] else {
                strays.found(entry, in: id)
                continue
            }
            if try isAnother(entry, directory, row) {
                try tree.clearTheWay(try MainEntry(directory, entry.name))
            } else {
                missing[entry.name] = nil
                strays.found(entry, in: id, insteadOf: row)
            }
        }
        var unlinked: [Place] = []
        for (name, row) in missing {
            switch row.kind {
            case .directory:
                let shown = try tree.forMain(row)
                try main.makeDirectory(try MainEntry(directory, name), mode: shown.mode, uid: row.uid, gid: row.gid)
            case .symlink, .fifo, .socket, .character, .block:
                try main.makeNode(try MainEntry(directory, name), try tree.forMain(row))
            case .file where try isNowhere(row):
                // Its creation was never acknowledged by a close, and no storage has a byte of it.
                logger.warning(
                    "a file that was being created is lost with the power", metadata: ["inode": "\(row.id.rawValue)"])
                _ = try catalogue.change(
                    .processCrash, .delete(Dentry(id, name), directory: false, now: currentTime()))
            case .file:
                strays.lacks(row, Dentry(id, name))
                if row.linkCount > 1 { unlinked.append(Place(resource: row.id, dentry: Dentry(id, name))) }
            }
        }
        return unlinked
    }

    /// Has the copies compared that came into a directory since the last checkpoint, though their rows describe them.
    ///
    /// One that was recovered just before may have the inode number of the one that was lost, and its time: the power cut took
    /// the commit that says otherwise, and perhaps the bytes.
    private func doubtCopies(
        in id: ResourceID, _ directory: Descriptor, since checkpoint: Nanoseconds
    ) throws(FileSystemError) {
        var rows: [[UInt8]: Resource] = [:]
        for row in try catalogue.list(id, after: 0, limit: .max) where row.resource.kind == .file {
            if row.resource.inBackup, !row.resource.needsUpload { rows[row.name] = row.resource }
        }
        guard !rows.isEmpty else { return }
        var doubtful: [ResourceID] = []
        for entry in try main.entries(in: directory) where entry.kind == .file {
            guard let row = rows[entry.name], entry.attributes.changed >= checkpoint,
                entry.attributes.inode == row.mainInode, entry.attributes.modified == row.mainModified
            else { continue }
            doubtful.append(row.id)
        }
        if !doubtful.isEmpty { try catalogue.change(.processCrash, .doubtCopies(doubtful)) }
    }

    /// Whether main has something else under a name than the catalogue.
    ///
    /// A file with one name is compared when it is opened; one that has several is opened under another, and then not.
    private func isAnother(
        _ entry: MainStorage.Entry, _ directory: Descriptor, _ row: Resource
    ) throws(FileSystemError) -> Bool {
        guard entry.kind == row.kind else { return true }
        guard row.kind == .file, row.linkCount > 1, row.inBackup, row.mainInode != 0 else { return false }
        return try main.status(try MainEntry(directory, entry.name)).map { UInt64($0.st_ino) } != row.mainInode
    }

    /// Whether no storage can have a byte of the file: nobody was told that it is kept.
    private func isNowhere(_ row: Resource) throws(FileSystemError) -> Bool {
        guard !row.inBackup else { return false }
        if try catalogue.isAdopted(row.id) { return false }
        return try !catalogue.hasBegunUpload(row.id)
    }

    /// A name that the catalogue does not have: a deletion that main has lost, a creation that the catalogue has lost, or
    /// something that came behind the mount.
    ///
    /// Nothing tells the last two apart, so both get their rows.
    private func settleUnknown(_ found: StrayFiles.Unknown) throws(FileSystemError) {
        let (entry, id, directory) = (found.entry, found.directory, try tree.directory(found.directory))
        // A file that was given back.
        guard try main.inode(try MainEntry(directory, entry.name)) == entry.attributes.inode else { return }
        guard let deleted = try deletedResource(entry, in: id) else {
            logger.warning(
                "something in main that the catalogue does not know was taken over",
                metadata: ["directory": "\(id.rawValue)", "inode": "\(entry.attributes.inode)"])
            return try adopter.takeOver(id, entry.name)
        }
        // What is left in a directory that was deleted had been moved out of it before.
        if try !removeReturned(deleted, entry, directory) {
            try tree.setAside(try MainEntry(directory, entry.name), .unacknowledged)
        }
    }

    private func deletedResource(
        _ entry: MainStorage.Entry, in id: ResourceID
    ) throws(FileSystemError) -> ResourceID? {
        try catalogue.deletedResource(
            Dentry(id, entry.name), mainInode: entry.attributes.inode, changed: entry.attributes.changed)
    }

    /// Removes what was deleted and has come back, a directory with what was deleted in it; false if something else is in it.
    private func removeReturned(
        _ id: ResourceID, _ entry: MainStorage.Entry, _ directory: Descriptor
    ) throws(FileSystemError) -> Bool {
        guard entry.kind == .directory else {
            return try main.remove(try MainEntry(directory, entry.name), isDirectory: false)
        }
        let below = try main.openDirectory([entry.name], in: directory)
        for child in try main.entries(in: below) {
            if let deleted = try deletedResource(child, in: id) { _ = try removeReturned(deleted, child, below) }
        }
        do throws(FileSystemError) {
            return try main.remove(try MainEntry(directory, entry.name), isDirectory: true)
        } catch .main(errno: let code, _) where [ENOTEMPTY, EEXIST].contains(code) {
            return false
        }
    }
}
