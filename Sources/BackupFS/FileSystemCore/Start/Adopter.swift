// Files that main holds when BackupFS first comes: they get their rows before the mount shows anything, and the
// background backs them up.

import Catalogue
import Glibc
import Logging
import Synchronization

/// Gives rows to what main holds and the catalogue does not know.
final class Adopter: Sendable {
    private let tree: MainTree
    private let catalogue: CatalogueClient
    private let logger: Logger
    private var main: MainStorage { tree.main }

    init(tree: MainTree, catalogue: CatalogueClient, logger: Logger) {
        self.tree = tree
        self.catalogue = catalogue
        self.logger = logger
    }

    /// Makes rows for everything in main.
    ///
    /// Takes time in proportion to the number of files; reads none of them.
    ///
    /// A crash in between is no harm: what has a row already is passed over the next time.
    func adoptMain() throws(FileSystemError) {
        try adopt(below: [(.root, [])], isFirst: true)
        pass("adopt.main")
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.set(Setting.adopted, to: "yes")
        }
    }

    /// Makes rows for what lies under a name in main, and for everything below it.
    ///
    /// The caller holds the name still, or nobody uses the file system yet.
    func takeOver(_ parent: ResourceID, _ name: [UInt8]) throws(FileSystemError) {
        guard let entry = try main.entry(try tree.directory(parent), name), let kind = entry.kind else { return }
        let id = try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.adopt(kind, parent: parent, name: name, entry.attributes, isFirst: false)
        }
        guard kind == .directory,
            let path = try catalogue.read({ reader throws(CatalogueError) in try reader.path(of: id) })
        else { return }
        try adopt(below: [(id, path)], isFirst: false)
    }

    private func adopt(
        below top: [(id: ResourceID, path: [[UInt8]])], isFirst: Bool
    ) throws(FileSystemError) {
        var directories = top
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
            let children = try catalogue.change(.processCrash) { writer throws(CatalogueError) in
                var children: [(id: ResourceID, name: [UInt8])] = []
                for entry in adoptable {
                    guard let kind = entry.kind else { continue }
                    if let identity = entry.identity, let known = linked.withLock({ $0[identity] }) {
                        try writer.adoptLink(known, parent: next.id, name: entry.name)
                        continue
                    }
                    let id = try writer.adopt(
                        kind, parent: next.id, name: entry.name, entry.attributes, isFirst: isFirst)
                    if let identity = entry.identity { linked.withLock { $0[identity] = id } }
                    if kind == .directory { children.append((id, entry.name)) }
                }
                return children
            }
            pass("adopt.directory")
            for child in children { directories.append((child.id, next.path + [child.name])) }
        }
        if skipped > 0 {
            logger.warning(
                "files of an unknown kind in main are not backed up and not shown", metadata: ["count": "\(skipped)"])
        }
    }
}
