// Several names for one file (hard links), and two names that change places.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// Gives a file, link or node another name (Link.1 to Link.3).
    package func link(
        _ id: ResourceID, _ dentry: Dentry
    ) throws(FileSystemError) -> Attributes {
        try dentry.check()
        try tree.lock.shared { () throws(FileSystemError) in
            try tree.directories.with(dentry.parent) { () throws(FileSystemError) in
                // Link.1
                let intent = try catalogue.change(.powerLoss, .link(id, dentry, now: currentTime()))
                do throws(FileSystemError) {
                    // Link.2
                    try reach("link.row")
                    try tree.link(id, dentry)
                } catch {
                    try catalogue.change(
                        .powerLoss, .undoLink(id, dentry, intent: intent, now: currentTime()))
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
    package func exchange(_ first: Dentry, _ second: Dentry) throws(FileSystemError) {
        try first.check()
        try second.check()
        try tree.moving([first, second]) { () throws(FileSystemError) in
            let firstEntry = try tree.entry(first)
            let secondEntry = try tree.entry(second)
            let inode = try main.inode(firstEntry)
            // Rename.1
            let intent = try catalogue.change(
                .powerLoss, .exchange(first, second, sourceInode: inode, now: currentTime()))
            guard let intent else { return }
            do throws(FileSystemError) {
                // Rename.2
                try reach("exchange.row")
                try tree.followExchange(firstEntry, secondEntry)
            } catch {
                try catalogue.change(
                    .powerLoss, .undoExchange(first, second, intent: intent, now: currentTime()))
                throw error
            }
            pass("exchange.main")
            intents.noteFollowed(.rename(intent))
        }
    }
}
