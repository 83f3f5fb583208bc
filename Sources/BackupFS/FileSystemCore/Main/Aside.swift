// What is in the way in main is moved to `.backupfs/aside/ID/`, where it keeps its path and its inode. Its row comes first:
// nothing is moved and forgotten. What BackupFS did not make itself is moved only if its name is needed.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// Moves what lies under a name in main out of the way; false if nothing does.
    ///
    /// `resource` is the file whose copy it was. The name is held still by the caller.
    @discardableResult
    func setAside(
        _ directory: Descriptor, _ name: [UInt8], _ reason: AsideEntry.Reason, of resource: ResourceID? = nil
    ) throws(FileSystemError) -> Bool {
        guard try main.status(directory, name) != nil else { return false }
        let path = main.path(of: directory) + [name]
        let id = try change(.powerLoss) { writer throws(CatalogueError) in
            try writer.addAside(path, reason, of: resource, now: currentTime())
        }
        pass("aside.row")
        guard try main.moveAside(directory, name, path, id) else {
            try change(.processCrash) { writer throws(CatalogueError) in try writer.forgetAside(id) }
            return false
        }
        pass("aside.moved")
        record("Aside.2") { writer throws(CatalogueError) in try writer.settleAside(id) }
        counters.add(\.setAside)
        logger.error(
            "something in main was set aside: `backupfs aside` shows it and brings it back",
            metadata: ["aside": "\(id)", "reason": "\(reason.rawValue)", "inode": "\(resource?.rawValue ?? 0)"])
        return true
    }

    /// Finishes what was on its way aside, or back, when the last daemon ended; a power cut can have taken back any of them.
    func settleAside(mainMayBeTorn: Bool) throws(FileSystemError) {
        for entry in try read({ reader throws(CatalogueError) in try reader.unsettledAside() }) {
            try settleAside(entry)
        }
        guard mainMayBeTorn else { return }
        var last: Int64 = 0
        while true {
            let after = last
            let page = try read { reader throws(CatalogueError) in try reader.setAside(after: after, limit: 500) }
            for entry in page { try settleAside(entry) }
            guard let end = page.last else { return }
            last = end.id
        }
    }

    private func settleAside(_ entry: AsideEntry) throws(FileSystemError) {
        if try main.isAside(entry.id, entry.path) {
            return try change(.processCrash) { writer throws(CatalogueError) in try writer.settleAside(entry.id) }
        }
        if let target = entry.target { try takeOver(target.parent, target.name) }
        main.removeAsideDirectories(entry.id, entry.path)
        try change(.processCrash) { writer throws(CatalogueError) in try writer.forgetAside(entry.id) }
    }

    /// Brings one thing back: into the directory it was in, as `NAME`, or `NAME (set aside ID)` if that is taken; into the
    /// root if the directory is gone.
    ///
    /// Returns the path it has now.
    func bringBack(_ id: Int64) throws(FileSystemError) -> [[UInt8]] {
        guard let entry = try read({ reader throws(CatalogueError) in try reader.setAside(id) }),
            let last = entry.path.last
        else { throw .catalogue(.noSuchResource) }
        let (parent, path) = try read { reader throws(CatalogueError) -> (ResourceID, [[UInt8]]) in
            let above = Array(entry.path.dropLast())
            guard let found = try reader.resource(atPath: above), found.kind == .directory, found.status != .deleted
            else { return (.root, []) }
            return (found.id, above)
        }
        return try tree.shared { () throws(FileSystemError) in
            try directories.with(parent) { () throws(FileSystemError) in
                let directory = try mainDirectory(parent)
                let name = try freeName(last, id, in: parent, directory)
                try change(.powerLoss) { writer throws(CatalogueError) in
                    try writer.beginRestore(id, parent: parent, name: name)
                }
                try main.moveBack(id, entry.path, directory, name)
                try takeOver(parent, name)
                main.removeAsideDirectories(id, entry.path)
                try change(.powerLoss) { writer throws(CatalogueError) in try writer.forgetAside(id) }
                wakeBackground()
                return path + [name]
            }
        }
    }

    /// Removes one thing that was set aside, for good.
    func discard(_ id: Int64) throws(FileSystemError) {
        guard try read({ reader throws(CatalogueError) in try reader.setAside(id) }) != nil else {
            throw .catalogue(.noSuchResource)
        }
        // What is still there stays on record.
        try main.discardAside(id)
        try change(.powerLoss) { writer throws(CatalogueError) in try writer.forgetAside(id) }
    }

    private func freeName(
        _ name: [UInt8], _ id: Int64, in parent: ResourceID, _ directory: Descriptor
    ) throws(FileSystemError) -> [UInt8] {
        func isFree(_ name: [UInt8]) throws(FileSystemError) -> Bool {
            guard !isReserved(parent, name) else { return false }
            let known = try read { reader throws(CatalogueError) in try reader.lookup(parent: parent, name: name) }
            guard known == nil else { return false }
            return try main.status(directory, name) == nil
        }
        if try isFree(name) { return name }
        let addition = Array(" (set aside \(id))".utf8)
        let other = name.prefix(255 - addition.count) + addition
        guard try isFree(Array(other)) else { throw .catalogue(.nameTaken) }
        return Array(other)
    }
}
