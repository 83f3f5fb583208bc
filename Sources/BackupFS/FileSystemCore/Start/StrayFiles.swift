// Files that main has under other names than the catalogue after a power cut. A rename of a file that backup has waits for no
// disk: main may have followed one that the catalogue has lost with its last commits. The catalogue is right.

import Catalogue
import Linux

/// What the directories that were looked at lack in main, and what they have under other names.
struct StrayFiles {
    /// Something under a name that the catalogue does not have.
    struct Unknown {
        var directory: ResourceID
        var entry: MainStorage.Entry
    }

    /// A name under which main has not the file of the catalogue.
    struct Wanted {
        var resource: ResourceID
        var dentry: Dentry
    }

    /// A file in main, and where it belongs.
    struct Stray {
        var place: MainEntry
        var inode: UInt64
        var wanted: Wanted
    }

    /// A copy whose row does not know its inode number: a recovery gave it the row's time.
    private struct Look: Hashable {
        var size: Int64
        var modified: Nanoseconds
    }

    private(set) var unknown: [Unknown] = []
    private var displaced: [Unknown] = []
    private var byInode: [UInt64: (wanted: Wanted, size: Int64)] = [:]
    private var byLook: [Look: Wanted] = [:]

    /// Nobody is looked for.
    private var isEmpty: Bool { byInode.isEmpty && byLook.isEmpty }

    mutating func found(_ entry: MainStorage.Entry, in directory: ResourceID) {
        unknown.append(Unknown(directory: directory, entry: entry))
    }

    /// Main has something else under the name of a file; what that is may be another's.
    mutating func found(_ entry: MainStorage.Entry, in directory: ResourceID, insteadOf row: Resource) {
        guard row.mayBeRenamedBack, entry.kind == .file, entry.attributes.inode != row.mainInode else { return }
        displaced.append(Unknown(directory: directory, entry: entry))
        lacks(row, Dentry(directory, entry.name))
    }

    /// Main has nothing under the name of a file.
    mutating func lacks(_ row: Resource, _ dentry: Dentry) {
        guard row.mayBeRenamedBack else { return }
        let wanted = Wanted(resource: row.id, dentry: dentry)
        if row.mainInode != 0 { byInode[row.mainInode] = (wanted, row.size) }
        byLook[Look(size: row.size, modified: row.modified)] = wanted
    }

    /// The files of which main has the only copy known under another name, found by `open`, which opens a known directory.
    func strays(
        _ main: MainStorage, _ open: (ResourceID) throws(FileSystemError) -> Descriptor
    ) throws(FileSystemError) -> [Stray] {
        guard !isEmpty else { return [] }
        var strays: [Stray] = []
        for found in unknown + displaced {
            try collect(found.entry, in: try open(found.directory), main, &strays)
        }
        return strays
    }

    private func collect(
        _ entry: MainStorage.Entry, in directory: Descriptor, _ main: MainStorage, _ strays: inout [Stray]
    ) throws(FileSystemError) {
        if entry.kind == .directory {
            let below = try main.openDirectory([entry.name], in: directory)
            for child in try main.entries(in: below) { try collect(child, in: below, main, &strays) }
        } else if entry.kind == .file, entry.identity == nil, let wanted = wanted(entry.attributes) {
            strays.append(
                Stray(
                    place: try MainEntry(directory, entry.name), inode: entry.attributes.inode, wanted: wanted))
        }
    }

    private func wanted(_ found: AdoptedAttributes) -> Wanted? {
        if let known = byInode[found.inode], known.size == found.size { return known.wanted }
        return byLook[Look(size: found.size, modified: found.modified)]
    }
}

extension Resource {
    /// Whether a power cut may take a rename of it that main has followed: backup has all of it, and it has one name.
    ///
    /// The renames of anything else are durable before main follows.
    var mayBeRenamedBack: Bool { kind == .file && linkCount == 1 && inBackup && !needsUpload }
}

extension Repairer {
    /// Gives files in main the names back that the catalogue has for them.
    ///
    /// What is in the way of one was never acknowledged: a close makes all renames before it durable.
    func returnStrays(_ files: StrayFiles) throws(FileSystemError) {
        var waiting = try files.strays(main) { (id) throws(FileSystemError) in try tree.directory(id) }
        while !waiting.isEmpty {
            let inodes = Set(waiting.map(\.inode))
            var later: [StrayFiles.Stray] = []
            for stray in waiting where try !giveBack(stray, unlessBlockedBy: inodes) {
                later.append(stray)
            }
            // A circle: the first goes where it belongs, and what it meets comes from backup.
            if later.count == waiting.count { _ = try giveBack(later.removeFirst(), unlessBlockedBy: []) }
            waiting = later
        }
    }

    private func giveBack(
        _ stray: StrayFiles.Stray, unlessBlockedBy others: Set<UInt64>
    ) throws(FileSystemError) -> Bool {
        // It was in the way of another.
        guard try main.inode(stray.place) == stray.inode else { return true }
        let target = try tree.entry(stray.wanted.dentry)
        if let found = try main.status(target) {
            if found.st_ino == stray.inode { return true }
            if others.contains(UInt64(found.st_ino)) { return false }
            try tree.setAside(target, .unacknowledged, of: stray.wanted.resource)
        }
        if try main.rename(stray.place, target) {
            logger.warning(
                "a rename that was not durable is taken back",
                metadata: ["inode": "\(stray.wanted.resource.rawValue)"])
        }
        return true
    }
}
