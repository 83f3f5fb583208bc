// What main does after the catalogue has: new files, second names, renames. The caller holds the names still.

import Catalogue
import Glibc
import Linux

extension MainTree {
    /// Makes a file's new main copy; what the catalogue does not know of under its name is set aside.
    func createFile(_ directory: Descriptor, _ name: [UInt8], _ row: Resource) throws(FileSystemError) -> Descriptor {
        do throws(FileSystemError) {
            return try main.createFile(directory, name, mode: row.mode, uid: row.uid, gid: row.gid)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(directory, name)
            return try main.createFile(directory, name, mode: row.mode, uid: row.uid, gid: row.gid)
        }
    }

    /// Makes a directory; what has its name is set aside.
    func createDirectory(_ directory: Descriptor, _ name: [UInt8], _ row: Resource) throws(FileSystemError) {
        do throws(FileSystemError) {
            try main.makeDirectory(directory, name, mode: row.mode, uid: row.uid, gid: row.gid)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(directory, name)
            try main.makeDirectory(directory, name, mode: row.mode, uid: row.uid, gid: row.gid)
        }
    }

    /// Makes a symbolic link, pipe, socket or device node; what has its name is set aside.
    func createNode(_ directory: Descriptor, _ name: [UInt8], _ row: Resource) throws(FileSystemError) {
        do throws(FileSystemError) {
            try main.makeNode(directory, name, row)
        } catch .main(errno: EEXIST, _) {
            try clearTheWay(directory, name)
            try main.makeNode(directory, name, row)
        }
    }

    /// Makes main follow a new name.
    ///
    /// The caller holds the name's directory still; the other names may change meanwhile, and are only looked at. Without
    /// a main copy there is nothing to do: a recovery gives it all its names.
    func link(_ id: ResourceID, _ dentry: Dentry) throws(FileSystemError) {
        let directory = try directory(dentry.parent)
        let places = try catalogue.locations(of: id)
        for place in places where !(place.parent == dentry.parent && place.name == dentry.name) {
            guard let copy = try main.openAny(try self.directory(place.parent), place.name) else { continue }
            let found = try copy.status()
            if let present = try main.status(directory, dentry.name) {
                if present.st_ino == found.st_ino, present.st_dev == found.st_dev { return }
                try clearTheWay(directory, dentry.name)
            }
            do throws(FileSystemError) {
                return try main.link(copy, directory, dentry.name)
            } catch .main(errno: ENOENT, _) {
                // Renamed or removed in this moment; another name may do.
            }
        }
    }

    /// Makes main storage follow a rename that the catalogue has made; also what a start does for a recorded intent.
    func followRename(
        _ sourceDirectory: Descriptor, _ sourceName: [UInt8], _ targetDirectory: Descriptor, _ targetName: [UInt8],
        isDirectory: Bool, mayReplace: Bool
    ) throws(FileSystemError) {
        // What the catalogue does not know of is in the way.
        if !mayReplace, try main.status(targetDirectory, targetName) != nil {
            try clearTheWay(targetDirectory, targetName)
        }
        do throws(FileSystemError) {
            if try main.rename(sourceDirectory, sourceName, targetDirectory, targetName) { return }
            // The source has no main copy: what the target had must not be taken for it.
            _ = try main.remove(targetDirectory, targetName, isDirectory: isDirectory)
        } catch .main(errno: let code, _) where [ENOTEMPTY, EEXIST, EISDIR, ENOTDIR].contains(code) {
            // Something the catalogue does not know is in the way.
            try clearTheWay(targetDirectory, targetName)
            _ = try main.rename(sourceDirectory, sourceName, targetDirectory, targetName)
        }
    }

    /// Makes main follow an exchange; what only one of the names has there moves to the other.
    func followExchange(
        _ first: Descriptor, _ firstName: [UInt8], _ second: Descriptor, _ secondName: [UInt8]
    ) throws(FileSystemError) {
        if try main.exchange(first, firstName, second, secondName) { return }
        if try main.rename(first, firstName, second, secondName) { return }
        _ = try main.rename(second, secondName, first, firstName)
    }
}
