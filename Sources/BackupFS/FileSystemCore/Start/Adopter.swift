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
        try catalogue.change(.powerLoss, .set([Setting.adopted: "yes"]))
    }

    /// Makes rows for what lies under a name in main, and for everything below it.
    ///
    /// The caller holds the name still, or nobody uses the file system yet.
    func takeOver(_ parent: ResourceID, _ name: [UInt8]) throws(FileSystemError) {
        guard let entry = try main.entry(try tree.entry(Dentry(parent, name))) else { return }
        var linked: [MainStorage.Identity: ResourceID] = [:]
        for directory in try adopt([entry], in: parent, &linked, isFirst: false) {
            guard let path = try catalogue.path(of: directory.id) else { continue }
            try adopt(below: [(directory.id, path)], isFirst: false)
        }
    }

    private func adopt(
        below top: [(id: ResourceID, path: [[UInt8]])], isFirst: Bool
    ) throws(FileSystemError) {
        var directories = top
        var skipped = 0
        // Hard links: the resource that the first name of a file got.
        var linked: [MainStorage.Identity: ResourceID] = [:]
        while let next = directories.popLast() {
            let found = try main.entries(next.path)
            let adoptable = found.filter {
                $0.kind != nil && !(next.id == .root && $0.name == MainStorage.reservedName)
            }
            skipped += found.count { $0.kind == nil }
            let children = try adopt(adoptable, in: next.id, &linked, isFirst: isFirst)
            pass("adopt.directory")
            for child in children { directories.append((child.id, next.path + [child.name])) }
        }
        if skipped > 0 {
            logger.warning(
                "files of an unknown kind in main are not backed up and not shown", metadata: ["count": "\(skipped)"])
        }
    }

    /// Gives the entries of one directory their rows, in one transaction; returns those that are directories.
    private func adopt(
        _ entries: [MainStorage.Entry], in parent: ResourceID, _ linked: inout [MainStorage.Identity: ResourceID],
        isFirst: Bool
    ) throws(FileSystemError) -> [(id: ResourceID, name: [UInt8])] {
        var adoptable: [Adoptable] = []
        // Of two names of one file in this directory, the index of the first.
        var sameAs: [Int?] = []
        var firsts: [MainStorage.Identity: Int] = [:]
        for entry in entries {
            guard let kind = entry.kind else { continue }
            sameAs.append(entry.identity.flatMap { firsts[$0] })
            if let identity = entry.identity, firsts[identity] == nil { firsts[identity] = adoptable.count }
            adoptable.append(
                Adoptable(
                    kind: kind, name: entry.name, attributes: entry.attributes,
                    linkedTo: entry.identity.flatMap { linked[$0] }))
        }
        let ids = try catalogue.change(.processCrash, .adopt(adoptable, sameAs: sameAs, in: parent, isFirst: isFirst))
        for (identity, index) in firsts where linked[identity] == nil { linked[identity] = ids[index] }
        return zip(adoptable, ids).filter { $0.0.kind == .directory }.map { ($0.1, $0.0.name) }
    }
}
