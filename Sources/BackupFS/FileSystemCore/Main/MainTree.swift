// Main storage as the catalogue names it: where a resource lies in main, with its names held still while it is used. The
// locks of names are here, and what needs them asks here.

import Catalogue
import Glibc
import Linux
import Logging

/// The files and directories of main, by the resources that they are.
final class MainTree: Sendable {
    let main: MainStorage
    let catalogue: CatalogueClient
    let counters: Counters
    let logger: Logger
    /// Shared by every change that resolves a path in main; alone for the rename of a directory.
    let lock = ReadersWriterLock()
    let directories = DirectoryLocks()
    let unsynced = UnsyncedCopies()

    init(main: MainStorage, catalogue: CatalogueClient, counters: Counters, logger: Logger) {
        self.main = main
        self.catalogue = catalogue
        self.counters = counters
        self.logger = logger
    }

    /// Runs `body` on the place that a resource has in main, with its names held still.
    ///
    /// nil if the resource has no name (any more). Takes the tree lock shared and the directory's lock.
    func atLocation<Value>(
        of id: ResourceID, _ body: (MainEntry) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value? {
        try lock.shared { () throws(FileSystemError) in
            while true {
                guard let seen = try location(of: id) else { return nil }
                let result = try directories.with(seen.parent) { () throws(FileSystemError) -> Value?? in
                    guard let now = try location(of: id) else { return .some(nil) }
                    // Moved to another directory before its lock was ours: once more.
                    guard now.parent == seen.parent else { return nil }
                    return try body(try entry(now))
                }
                if let result { return result }
            }
        }
    }

    /// Runs `body` on one place of a resource, held still; nil if the name is not its any more.
    func atName<Value>(
        of id: ResourceID, _ place: Dentry,
        _ body: (MainEntry) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value? {
        try lock.shared { () throws(FileSystemError) in
            try directories.with(place.parent) { () throws(FileSystemError) -> Value? in
                let row = try catalogue.lookup(Dentry(place.parent, place.name))
                guard row?.id == id else { return nil }
                return try body(try entry(place))
            }
        }
    }

    /// Runs `body`, which moves `names` between two directories, with their names held still.
    ///
    /// `other` is the second directory if not the last name is in it. The paths of everything below a directory change with
    /// it: if one of the names is a directory, nobody may be using a path meanwhile.
    func moving(
        _ names: [Dentry], to other: ResourceID? = nil, _ body: () throws(FileSystemError) -> Void
    ) throws(FileSystemError) {
        guard let first = names.first?.parent, let second = other ?? names.last?.parent else { return }
        func movesDirectory() throws(FileSystemError) -> Bool {
            for name in names where try catalogue.lookup(name)?.kind == .directory { return true }
            return false
        }
        if try !movesDirectory() {
            let isDone = try lock.shared { () throws(FileSystemError) in
                try directories.with(first, second) { () throws(FileSystemError) in
                    // Another resource may have taken the name before the lock was ours.
                    if try movesDirectory() { return false }
                    try body()
                    return true
                }
            }
            if isDone { return }
        }
        try lock.exclusive { () throws(FileSystemError) in
            try directories.with(first, second) { () throws(FileSystemError) in try body() }
        }
    }

    /// The directory that holds a resource's name, and the name; nil if it has none (any more).
    func location(of id: ResourceID) throws(FileSystemError) -> Dentry? {
        try catalogue.location(of: id)
    }

    /// The place in main of a name in the catalogue, its directory made again if somebody removed it behind the mount.
    func entry(_ dentry: Dentry) throws(FileSystemError) -> MainEntry {
        try MainEntry(try directory(dentry.parent), dentry.name)
    }

    /// The directory of main that a resource's names are in, made again if somebody removed it behind the mount.
    func directory(_ id: ResourceID) throws(FileSystemError) -> Descriptor {
        guard let path = try catalogue.path(of: id) else {
            throw .catalogue(.noSuchResource)
        }
        do throws(FileSystemError) {
            return try main.openDirectory(path)
        } catch .main(errno: ENOENT, _) {
            return try makeMissingDirectories(path)
        }
    }

    /// The directory of main that a resource's names are in, as it is; nil if main does not have it.
    func existingDirectory(_ id: ResourceID) throws(FileSystemError) -> Descriptor? {
        guard let path = try catalogue.path(of: id) else { return nil }
        do throws(FileSystemError) {
            return try main.openDirectory(path)
        } catch .main(errno: let code, _) where [ENOENT, ENOTDIR, ELOOP].contains(code) {
            return nil
        }
    }

    private func makeMissingDirectories(_ path: [[UInt8]]) throws(FileSystemError) -> Descriptor {
        var directory = main.root
        var id = ResourceID.root
        for name in path {
            let parent = id
            guard
                let row = try catalogue.lookup(Dentry(parent, name))
            else { throw .catalogue(.noSuchResource) }
            do throws(FileSystemError) {
                let shown = try forMain(row)
                try main.makeDirectory(try MainEntry(directory, name), mode: shown.mode, uid: row.uid, gid: row.gid)
                logger.warning(
                    "a directory was missing in main and was made again", metadata: ["inode": "\(row.id.rawValue)"])
            } catch .main(errno: EEXIST, _) {
                // It is there, or somebody else has just made it.
            }
            directory = try main.openDirectory([name], in: directory)
            id = row.id
        }
        return directory
    }

    /// The row as main is to have it: without the mask of a list for the owning group.
    func forMain(_ row: Resource) throws(FileSystemError) -> Resource {
        guard row.kind != .symlink,
            let value = try catalogue.xattr(row.id, AccessControlList.access), let list = AccessControlList(value)
        else { return row }
        var row = row
        row.mode = list.mainMode(row.mode)
        return row
    }

    /// Syncs main's file system; a start does so before it forgets an intent that it has repeated.
    func sync() throws(FileSystemError) {
        do throws(SystemError) {
            try main.syncDisks()
        } catch {
            // The next sync says nothing of what this one could not write.
            unsynced.doubt()
            throw .main(errno: error.code, during: error.call)
        }
    }

    /// Bytes of the main copy: a file that was never in backup has none in its row.
    func size(_ file: FileState?, _ row: Resource) -> Int64 {
        if let descriptor = file?.descriptor, let status = try? descriptor.status() { return Int64(status.st_size) }
        let found = try? atLocation(of: row.id) { (entry) throws(FileSystemError) in
            try main.status(entry)
        }
        return (found ?? nil).flatMap { $0 }.map { Int64($0.st_size) } ?? row.size
    }
}
