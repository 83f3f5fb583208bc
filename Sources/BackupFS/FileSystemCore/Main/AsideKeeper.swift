// What was set aside in main (MainTree+Copies.swift) and its way back. What a crash has interrupted on either way is finished
// by the next start.

import Catalogue
import Glibc
import Linux

/// What lies in `.backupfs/aside`: finished, brought back, or discarded.
final class AsideKeeper: Sendable {
    private let tree: MainTree
    private let catalogue: CatalogueClient
    private let adopter: Adopter
    private var main: MainStorage { tree.main }

    init(tree: MainTree, catalogue: CatalogueClient, adopter: Adopter) {
        self.tree = tree
        self.catalogue = catalogue
        self.adopter = adopter
    }

    /// Finishes what was on its way aside, or back, when the last daemon ended; a power cut can have taken back any of them.
    func settle(mainMayBeTorn: Bool) throws(FileSystemError) {
        for entry in try catalogue.unsettledAside() {
            try settle(entry)
        }
        guard mainMayBeTorn else { return }
        var last: Int64 = 0
        while true {
            let after = last
            let page = try catalogue.setAside(after: after, limit: 500)
            for entry in page { try settle(entry) }
            guard let end = page.last else { return }
            last = end.id
        }
    }

    private func settle(_ entry: AsideEntry) throws(FileSystemError) {
        if try main.isAside(entry.id, entry.path) {
            return try catalogue.change(.processCrash, .settleAside(entry.id))
        }
        if let target = entry.target { try adopter.takeOver(target.parent, target.name) }
        main.removeAsideDirectories(entry.id, entry.path)
        try catalogue.change(.processCrash, .forgetAside(entry.id))
    }

    /// Brings one thing back: into the directory it was in, as `NAME`, or `NAME (set aside ID)` if that is taken; into the
    /// root if the directory is gone.
    ///
    /// Returns the path it has now.
    func bringBack(_ id: Int64) throws(FileSystemError) -> [[UInt8]] {
        guard let entry = try catalogue.setAside(id),
            let last = entry.path.last
        else { throw .catalogue(.noSuchResource) }
        let above = Array(entry.path.dropLast())
        let found = try catalogue.resource(atPath: above)
        let isThere = found?.kind == .directory && found?.status != .deleted
        let parent = isThere ? found?.id ?? .root : .root
        let path = parent == .root ? [] : above
        return try tree.lock.shared { () throws(FileSystemError) in
            try tree.directories.with(parent) { () throws(FileSystemError) in
                let directory = try tree.directory(parent)
                let name = try freeName(last, id, in: parent, directory)
                try catalogue.change(.powerLoss, .beginRestore(id, Dentry(parent, name)))
                try main.moveBack(id, entry.path, try MainEntry(directory, name))
                try adopter.takeOver(parent, name)
                main.removeAsideDirectories(id, entry.path)
                try catalogue.change(.powerLoss, .forgetAside(id))
                catalogue.work.wake()
                return path + [name]
            }
        }
    }

    /// Removes one thing that was set aside, for good.
    func discard(_ id: Int64) throws(FileSystemError) {
        guard try catalogue.setAside(id) != nil else {
            throw .catalogue(.noSuchResource)
        }
        // What is still there stays on record.
        try main.discardAside(id)
        try catalogue.change(.powerLoss, .forgetAside(id))
    }

    private func freeName(
        _ name: [UInt8], _ id: Int64, in parent: ResourceID, _ directory: Descriptor
    ) throws(FileSystemError) -> [UInt8] {
        func isFree(_ name: [UInt8]) throws(FileSystemError) -> Bool {
            guard !Dentry(parent, name).isReserved else { return false }
            let known = try catalogue.lookup(Dentry(parent, name))
            guard known == nil else { return false }
            return try main.status(try MainEntry(directory, name)) == nil
        }
        if try isFree(name) { return name }
        let addition = Array(" (set aside \(id))".utf8)
        let other = name.prefix(255 - addition.count) + addition
        guard try isFree(Array(other)) else { throw .catalogue(.nameTaken) }
        return Array(other)
    }
}
