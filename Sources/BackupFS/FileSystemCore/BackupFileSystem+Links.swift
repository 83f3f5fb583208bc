// Several names for one file (hard links), and two names that change places.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// Gives a file, link or node another name (Link.1 to Link.3).
    package func link(
        _ id: ResourceID, parent: ResourceID, name: [UInt8]
    ) throws(FileSystemError) -> Attributes {
        guard name.count <= 255 else { throw .nameTooLong }
        guard !isReserved(parent, name) else { throw .reservedName }
        try tree.shared { () throws(FileSystemError) in
            try directories.with(parent) { () throws(FileSystemError) in
                // Link.1
                let intent = try change(.powerLoss) { writer throws(CatalogueError) in
                    try writer.link(id, parent: parent, name: name, now: currentTime())
                }
                do throws(FileSystemError) {
                    // Link.2
                    try reach("link.row")
                    try linkInMain(id, parent: parent, name: name)
                } catch {
                    try change(.powerLoss) { writer throws(CatalogueError) in
                        try writer.undoLink(id, parent: parent, name: name, intent: intent, now: currentTime())
                    }
                    throw error
                }
                pass("link.main")
                // Link.3, in the background
                noteFollowed(.name(intent))
            }
        }
        return try attributes(id)
    }

    /// Makes main follow a new name.
    ///
    /// The caller holds the name's directory still; the other names may change meanwhile, and are only looked at. Without
    /// a main copy there is nothing to do: a recovery gives it all its names.
    func linkInMain(_ id: ResourceID, parent: ResourceID, name: [UInt8]) throws(FileSystemError) {
        let directory = try mainDirectory(parent)
        let places = try read { reader throws(CatalogueError) in try reader.locations(of: id) }
        for place in places where !(place.parent == parent && place.name == name) {
            guard let copy = try main.openAny(try mainDirectory(place.parent), place.name) else { continue }
            let found = try copy.status()
            if let present = try main.status(directory, name) {
                if present.st_ino == found.st_ino, present.st_dev == found.st_dev { return }
                try clearTheWay(directory, name)
            }
            do throws(FileSystemError) {
                return try main.link(copy, directory, name)
            } catch .main(errno: ENOENT, _) {
                // Renamed or removed in this moment; another name may do.
            }
        }
    }

    /// Lets two names change places (RENAME_EXCHANGE).
    package func exchange(
        _ firstParent: ResourceID, _ firstName: [UInt8], _ secondParent: ResourceID, _ secondName: [UInt8]
    ) throws(FileSystemError) {
        guard firstName.count <= 255, secondName.count <= 255 else { throw .nameTooLong }
        guard !isReserved(firstParent, firstName), !isReserved(secondParent, secondName) else { throw .reservedName }
        try moving([(firstParent, firstName), (secondParent, secondName)], in: firstParent, secondParent) {
            () throws(FileSystemError) in
            let first = try self.mainDirectory(firstParent)
            let second = try self.mainDirectory(secondParent)
            let inode = try self.main.status(first, firstName).map { UInt64($0.st_ino) } ?? 0
            // Rename.1
            let intent = try self.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.exchange(
                    firstParent, firstName, secondParent, secondName, sourceInode: inode, now: currentTime())
            }
            guard let intent else { return }
            do throws(FileSystemError) {
                // Rename.2
                try reach("exchange.row")
                try self.followExchange(first, firstName, second, secondName)
            } catch {
                try self.change(.powerLoss) { writer throws(CatalogueError) in
                    try writer.undoExchange(
                        firstParent, firstName, secondParent, secondName, intent: intent, now: currentTime())
                }
                throw error
            }
            pass("exchange.main")
            self.noteFollowed(.rename(intent, replaced: nil))
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
