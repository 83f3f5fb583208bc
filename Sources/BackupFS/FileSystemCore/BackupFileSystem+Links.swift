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
        guard !MainTree.isReserved(parent, name) else { throw .reservedName }
        try tree.lock.shared { () throws(FileSystemError) in
            try tree.directories.with(parent) { () throws(FileSystemError) in
                // Link.1
                let intent = try catalogue.change(.powerLoss, .link(id, parent: parent, name: name, now: currentTime()))
                do throws(FileSystemError) {
                    // Link.2
                    try reach("link.row")
                    try tree.link(id, parent: parent, name: name)
                } catch {
                    try catalogue.change(
                        .powerLoss, .undoLink(id, parent: parent, name: name, intent: intent, now: currentTime()))
                    throw error
                }
                pass("link.main")
                // Link.3, in the background
                intents.noteFollowed(.name(intent))
            }
        }
        return try attributes(id)
    }

    /// Lets two names change places (RENAME_EXCHANGE).
    package func exchange(
        _ firstParent: ResourceID, _ firstName: [UInt8], _ secondParent: ResourceID, _ secondName: [UInt8]
    ) throws(FileSystemError) {
        guard firstName.count <= 255, secondName.count <= 255 else { throw .nameTooLong }
        guard !MainTree.isReserved(firstParent, firstName), !MainTree.isReserved(secondParent, secondName) else {
            throw .reservedName
        }
        try tree.moving([(firstParent, firstName), (secondParent, secondName)], in: firstParent, secondParent) {
            () throws(FileSystemError) in
            let first = try tree.directory(firstParent)
            let second = try tree.directory(secondParent)
            let inode = try main.status(first, firstName).map { UInt64($0.st_ino) } ?? 0
            // Rename.1
            let intent = try catalogue.change(
                .powerLoss,
                .exchange(firstParent, firstName, secondParent, secondName, sourceInode: inode, now: currentTime()))
            guard let intent else { return }
            do throws(FileSystemError) {
                // Rename.2
                try reach("exchange.row")
                try tree.followExchange(first, firstName, second, secondName)
            } catch {
                try catalogue.change(
                    .powerLoss,
                    .undoExchange(firstParent, firstName, secondParent, secondName, intent: intent, now: currentTime()))
                throw error
            }
            pass("exchange.main")
            intents.noteFollowed(.rename(intent))
        }
    }
}
