// Files that main holds when BackupFS first comes: they get their rows before the mount shows anything, and the
// background backs them up.

import Catalogue
import Glibc
import Synchronization

extension BackupFileSystem {
    /// Makes rows for everything in main.
    ///
    /// Takes time in proportion to the number of files; reads none of them.
    ///
    /// A crash in between is no harm: what has a row already is passed over the next time.
    func adoptMain() throws(FileSystemError) {
        var directories: [(id: ResourceID, path: [[UInt8]])] = [(.root, [])]
        var skipped = 0
        // Hard links: the resource that the first name of a file got.
        let linked = Mutex<[MainStorage.Identity: ResourceID]>([:])
        while let next = directories.popLast() {
            let found = try main.entries(next.path)
            let adoptable = found.filter {
                $0.kind != nil && !(next.id == .root && $0.name == MainStorage.reservedName)
            }
            skipped += found.count { $0.kind == nil }
            // One transaction a directory.
            let children = try change(.processCrash) { writer throws(CatalogueError) in
                var children: [(id: ResourceID, name: [UInt8])] = []
                for entry in adoptable {
                    guard let kind = entry.kind else { continue }
                    if let identity = entry.identity, let known = linked.withLock({ $0[identity] }) {
                        try writer.adoptLink(known, parent: next.id, name: entry.name)
                        continue
                    }
                    let id = try writer.adopt(kind, parent: next.id, name: entry.name, entry.attributes)
                    if let identity = entry.identity { linked.withLock { $0[identity] = id } }
                    if kind == .directory { children.append((id, entry.name)) }
                }
                return children
            }
            pass("adopt.directory")
            for child in children { directories.append((child.id, next.path + [child.name])) }
        }
        pass("adopt.main")
        try change(.powerLoss) { writer throws(CatalogueError) in
            try writer.set(Setting.adopted, to: "yes")
        }
        if skipped > 0 {
            logger.warning(
                "files of an unknown kind in main are not backed up and not shown", metadata: ["count": "\(skipped)"])
        }
    }
}
