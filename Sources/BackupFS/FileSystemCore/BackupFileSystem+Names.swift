// Names: lookup, listing, and the changes of names. The catalogue changes first; main storage follows on the same
// thread; where it cannot, the catalogue takes the change back. docs/SEMANTICS.md numbers the steps.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// The resource under a name: the catalogue alone is asked (I7).
    package func lookup(_ dentry: Dentry) throws(FileSystemError) -> Attributes? {
        try dentry.checkLength()
        guard !dentry.isReserved else { return nil }
        return try catalogue.lookup(dentry)
            .map { row throws(FileSystemError) in try attributes(of: row) }
    }

    /// Up to `limit` entries of a directory after the position `cookie` (0: from the first).
    package func list(
        _ directory: ResourceID, after cookie: Int64, limit: Int
    ) throws(FileSystemError) -> [DirectoryEntry] {
        try catalogue.list(directory, after: cookie, limit: limit)
    }

    /// The parent of a directory; the root is its own.
    package func parent(of directory: ResourceID) throws(FileSystemError) -> ResourceID {
        try catalogue.location(of: directory)?.parent ?? .root
    }

    /// The target of a symbolic link.
    package func readLink(_ id: ResourceID) throws(FileSystemError) -> [UInt8] {
        guard let target = try catalogue.row(id).target else { throw .invalid }
        return target
    }

    /// Creates a file and opens it: steps Write.1 to Write.3.
    ///
    /// Its handle answers for the upload even if it cannot write: the file itself is new.
    package func createFile(
        _ dentry: Dentry, _ attributes: NewAttributes
    ) throws(FileSystemError) -> (attributes: Attributes, handle: FileHandle) {
        try admit(nil)
        let (row, descriptor) = try create(.file, dentry, attributes) {
            (row, entry) throws(FileSystemError) in
            let copy = try tree.createFile(entry, row)
            return (copy, UInt64(try copy.status().st_ino))
        }
        let file = files.acquire(row.id)
        file.load(row)
        file.content { $0.created(descriptor) }
        early.emptied(file)
        return (try self.attributes(of: row), FileHandle(file: file, isWritable: true))
    }

    /// Creates a directory.
    package func makeDirectory(
        _ dentry: Dentry, _ attributes: NewAttributes
    ) throws(FileSystemError) -> Attributes {
        let (row, _) = try create(.directory, dentry, attributes) {
            (row, entry) throws(FileSystemError) in
            try self.tree.createDirectory(entry, row)
            return ((), try self.main.inode(entry))
        }
        return try self.attributes(of: row)
    }

    /// Creates a symbolic link, pipe, socket or device node.
    package func makeNode(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes
    ) throws(FileSystemError) -> Attributes {
        let (row, _) = try create(kind, dentry, attributes) {
            (row, entry) throws(FileSystemError) in
            try self.tree.createNode(entry, row)
            return ((), try self.main.inode(entry))
        }
        return try self.attributes(of: row)
    }

    /// Write.1: the row; Write.2: main storage, by `inMain`; Write.3: the row says main.
    private func create<Made>(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes,
        inMain: (Resource, MainEntry) throws(FileSystemError) -> (value: Made, inode: UInt64)
    ) throws(FileSystemError) -> (Resource, Made) {
        try dentry.check()
        var attributes = attributes
        let inherited = try attributeKeeper.inheritance(of: kind, attributes, from: dentry.parent)
        attributes.mode = inherited.mode
        let directoryRow = try catalogue.row(dentry.parent)
        if directoryRow.mode & UInt32(S_ISGID) != 0 {
            attributes.gid = directoryRow.gid
            if kind == .directory { attributes.mode |= UInt32(S_ISGID) }
        }
        let final = attributes
        return try tree.lock.shared { () throws(FileSystemError) in
            try tree.directories.with(dentry.parent) { () throws(FileSystemError) in
                // A file becomes durable with its close, anything else as every name does.
                let row = try catalogue.change(
                    kind == .file ? .processCrash : catalogue.nameDurability,
                    .create(kind, dentry, final, lists: inherited.lists, now: currentTime()))
                do throws(FileSystemError) {
                    try reach("create.row")
                    var shown = row
                    if let value = inherited.lists.first(where: { $0.name == AccessControlList.access })?.value {
                        shown.mode = AccessControlList(value)?.mainMode(row.mode) ?? row.mode
                    }
                    let made = try inMain(shown, try tree.entry(dentry))
                    pass("create.main")
                    // A file's close comes soon, and the next start would see the file.
                    let inode = made.inode
                    catalogue.record("Write.3", patiently: kind == .file, .markInMain(row.id, inode: inode))
                    return (row, made.value)
                } catch {
                    try catalogue.change(.processCrash, .undoCreate(row.id, now: currentTime()))
                    throw error
                }
            }
        }
    }

    /// Deletes a name of a file or link, and with its last one the resource; or an empty directory.
    ///
    /// Delete.1 and Delete.2, then main (Delete.3); Delete.4 and backup follow in the background (Delete.5,
    /// Delete.6). Succeeds whatever the storages do (Delete.7).
    package func remove(_ dentry: Dentry, directory: Bool) throws(FileSystemError) {
        try dentry.checkLength()
        guard !dentry.isReserved else { throw .catalogue(.noSuchResource) }
        try tree.lock.shared { () throws(FileSystemError) in
            try tree.directories.with(dentry.parent) { () throws(FileSystemError) in
                let deleted = try releasingReserve { () throws(FileSystemError) in
                    try catalogue.change(
                        catalogue.nameDurability, .delete(dentry, directory: directory, now: currentTime()))
                }
                // What main alone has must not go before the row: a power cut would bring back a name of nothing.
                if deleted.intent != nil || isInMainAlone(deleted.row) { try catalogue.waitUntilDurable() }
                pass("unlink.row")
                remover.removeFromMain(deleted.row, dentry, intent: deleted.intent)
            }
        }
        // Its versions are handed over with those of what is deleted next.
        catalogue.work.wakeSoon()
    }

    private func isInMainAlone(_ row: Resource) -> Bool { row.kind == .file && (row.needsUpload || !row.inBackup) }

    /// What makes room on a full disk is tried again with the room that was kept for it.
    private func releasingReserve<Value>(
        _ body: () throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value {
        do throws(FileSystemError) {
            return try body()
        } catch .catalogue(.diskFull) {
            guard main.reserve.release() else { throw .catalogue(.diskFull) }
            logger.warning("main is full: the room kept for deleting is used")
            return try body()
        }
    }

    /// Renames (Rename.1 to Rename.3); replaces a file or an empty directory unless `noReplace`.
    package func rename(
        from source: Dentry, to target: Dentry,
        noReplace: Bool
    ) throws(FileSystemError) {
        try source.checkLength()
        try target.checkLength()
        guard !source.isReserved else { throw .catalogue(.noSuchResource) }
        try target.check()
        try tree.moving([source], to: target.parent) { () throws(FileSystemError) in
            try self.moveLocked(from: source, to: target, noReplace: noReplace)
        }
        catalogue.work.wake()
    }

    private func moveLocked(
        from source: Dentry, to target: Dentry,
        noReplace: Bool
    ) throws(FileSystemError) {
        let sourceEntry = try tree.entry(source)
        let targetEntry = try tree.entry(target)
        // It tells a later start whether main has followed.
        let inode = try main.inode(sourceEntry)
        // Rename.1
        let renamed = try catalogue.change(
            catalogue.nameDurability,
            .rename(
                from: source, to: target, noReplace: noReplace, sourceInode: inode,
                now: currentTime()))
        guard let intent = renamed.intent else { return }
        // What a power cut takes of it, the next start can take back in main, or fetch.
        if !renamed.moved.mayBeRenamedBack || renamed.replaced?.mayBeRenamedBack == false {
            try catalogue.waitUntilDurable()
        }
        // Rename.2
        do throws(FileSystemError) {
            try reach("rename.row")
            try tree.followRename(
                from: sourceEntry, to: targetEntry, isDirectory: renamed.moved.kind == .directory,
                mayReplace: renamed.replaced != nil)
        } catch {
            try catalogue.change(
                .powerLoss,
                .undoRename(renamed, from: source, to: target, now: currentTime()))
            throw error
        }
        pass("rename.main")
        // Rename.3, in the background
        intents.noteFollowed(.rename(intent))
    }
}
