// What main does after the catalogue has: new files, second names, renames. The caller holds the names still.

import Catalogue
import Glibc
import Linux

extension MainTree {
    /// Makes a file's new main copy; what the catalogue does not know of under its name is set aside.
    func createFile(_ entry: MainEntry, _ row: Resource) throws(FileSystemError) -> Descriptor {
        do throws(FileSystemError) {
            return try main.createFile(entry, mode: row.mode, uid: row.uid, gid: row.gid)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(entry)
            return try main.createFile(entry, mode: row.mode, uid: row.uid, gid: row.gid)
        }
    }

    /// Makes a directory; what has its name is set aside.
    func createDirectory(_ entry: MainEntry, _ row: Resource) throws(FileSystemError) {
        do throws(FileSystemError) {
            try main.makeDirectory(entry, mode: row.mode, uid: row.uid, gid: row.gid)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(entry)
            try main.makeDirectory(entry, mode: row.mode, uid: row.uid, gid: row.gid)
        }
    }

    /// Makes a symbolic link, pipe, socket or device node; what has its name is set aside.
    func createNode(_ entry: MainEntry, _ row: Resource) throws(FileSystemError) {
        do throws(FileSystemError) {
            try main.makeNode(entry, row)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(entry)
            try main.makeNode(entry, row)
        }
    }

    /// Makes main follow a new name.
    ///
    /// The caller holds the name's directory still; the other names may change meanwhile, and are only looked at. Without
    /// a main copy there is nothing to do: a recovery gives it all its names.
    func link(_ id: ResourceID, _ dentry: Dentry) throws(FileSystemError) {
        let entry = try entry(dentry)
        let places = try catalogue.locations(of: id)
        for place in places where !(place.parent == dentry.parent && place.name == dentry.name) {
            guard let copy = try main.openAny(try self.entry(place)) else { continue }
            let found = try copy.status()
            if let present = try main.status(entry) {
                if present.st_ino == found.st_ino, present.st_dev == found.st_dev { return }
                try clearTheWay(entry)
            }
            do throws(FileSystemError) {
                return try main.link(copy, entry)
            } catch .main(errno: ENOENT, _) {
                // Renamed or removed in this moment; another name may do.
            }
        }
    }

    /// Makes main storage follow a rename that the catalogue has made; also what a start does for a recorded intent.
    func followRename(
        from source: MainEntry, to target: MainEntry, isDirectory: Bool, mayReplace: Bool
    ) throws(FileSystemError) {
        // What the catalogue does not know of is in the way.
        if !mayReplace, try main.status(target) != nil { try clearTheWay(target) }
        do throws(FileSystemError) {
            if try main.rename(source, target) { return }
            // The source has no main copy: what the target had must not be taken for it.
            _ = try main.remove(target, isDirectory: isDirectory)
        } catch .main(errno: let code, _) where [ENOTEMPTY, EEXIST, EISDIR, ENOTDIR].contains(code) {
            // Something the catalogue does not know is in the way.
            try clearTheWay(target)
            _ = try main.rename(source, target)
        }
    }

    /// Makes main follow an exchange; what only one of the names has there moves to the other.
    func followExchange(_ first: MainEntry, _ second: MainEntry) throws(FileSystemError) {
        if try main.exchange(first, second) { return }
        if try main.rename(first, second) { return }
        _ = try main.rename(second, first)
    }
}
