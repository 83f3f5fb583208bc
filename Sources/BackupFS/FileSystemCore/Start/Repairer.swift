// What a start does about an end that was not clean. It looks only at what was open or under way, so its time does not
// grow with the number of files. Each step may be done twice: a crash during repair is an end like any other.

import Catalogue
import Glibc
import Logging
import ObjectStorage

/// Brings catalogue and main to agreement at a start.
final class Repairer: Sendable {
    let tree: MainTree
    let catalogue: CatalogueClient
    let adopter: Adopter
    let logger: Logger
    private let aside: AsideKeeper
    var main: MainStorage { tree.main }

    init(tree: MainTree, catalogue: CatalogueClient, adopter: Adopter, aside: AsideKeeper, logger: Logger) {
        self.tree = tree
        self.catalogue = catalogue
        self.adopter = adopter
        self.aside = aside
        self.logger = logger
    }

    /// Brings catalogue and main to agreement and hands the rest to the background.
    ///
    /// `mainMayBeTorn`: the machine itself went down, so bytes in main that were never acknowledged may be anything.
    ///
    /// `isUnclean`: nobody has vouched for the end of the last run. `isAdopted`: what main held at first has its rows; before,
    /// nothing else can have happened, and what has no row is not garbage.
    func repair(mainMayBeTorn: Bool, isUnclean: Bool = true, isAdopted: Bool = true) throws(FileSystemError) {
        try repeatRenames(mainMayBeTorn: mainMayBeTorn)
        try repeatNames(mainMayBeTorn: mainMayBeTorn)
        try finishCreations(mainMayBeTorn: mainMayBeTorn)
        if mainMayBeTorn, isAdopted { try repairNames() }
        try aside.settle(mainMayBeTorn: mainMayBeTorn)
        try takeUpUploads(mainMayBeTorn: mainMayBeTorn, isUnclean: isUnclean)
        try abandonUnwantedUploads()
    }

    /// Renames that the catalogue made and main may not have followed.
    private func repeatRenames(mainMayBeTorn: Bool) throws(FileSystemError) {
        let intents = try catalogue.renameIntents()
        let followed = mainMayBeTorn ? try followedRenames(intents) : 0
        var waiting: [RenameIntent] = []
        for (index, intent) in intents.enumerated() {
            // Where the source had no main copy, what the target had is to go: looked at again.
            let isFollowed = mainMayBeTorn ? index < followed && intent.sourceInode != 0 : intent.isFollowed
            if isFollowed { try finish(intent) } else { waiting.append(intent) }
        }
        // The directories of a rename have the names that they have in the catalogue only when that was repeated for them.
        while !waiting.isEmpty {
            var later: [RenameIntent] = []
            for intent in waiting {
                guard try tree.existingDirectory(intent.source.parent) != nil,
                    try tree.existingDirectory(intent.target.parent) != nil
                else {
                    later.append(intent)
                    continue
                }
                try repeatRename(intent)
                try finish(intent)
            }
            if later.count == waiting.count {
                for intent in later {
                    try repeatRename(intent)
                    try finish(intent)
                }
                return
            }
            waiting = later
        }
    }

    private func finish(_ intent: RenameIntent) throws(FileSystemError) {
        pass("repair.rename")
        try tree.sync()
        try catalogue.change(.powerLoss, .finish([.rename(intent.id)]))
    }

    /// How many of the recorded renames main has followed, after a power cut.
    private func followedRenames(_ intents: [RenameIntent]) throws(FileSystemError) -> Int {
        let followed = try FollowedRenames(intents).followed { (dentry) throws(FileSystemError) in
            guard let directory = try tree.existingDirectory(dentry.parent) else { return nil }
            return try main.inode(try MainEntry(directory, dentry.name))
        }
        return followed ?? 0
    }

    /// Names that living resources got or lost, and main may not have followed.
    private func repeatNames(mainMayBeTorn: Bool) throws(FileSystemError) {
        for intent in try catalogue.nameIntents() {
            let live = try catalogue.lookup(intent.dentry)
            if intent.isFollowed, !mainMayBeTorn {
                // Nothing to repeat.
            } else if live?.id == intent.resource {
                try tree.link(intent.resource, intent.dentry)
            } else if live == nil,
                try catalogue.resource(intent.dentry.parent)?.status == .created
            {
                _ = try main.remove(try tree.entry(intent.dentry), isDirectory: false)
            }
            pass("repair.name")
            try tree.sync()
            try catalogue.change(.powerLoss, .finish([.name(intent.id)]))
        }
    }

    private func repeatRename(_ intent: RenameIntent) throws(FileSystemError) {
        guard let moved = try catalogue.resource(intent.resource), moved.status != .deleted else { return }
        let parents = (
            try catalogue.resource(intent.source.parent)?.status, try catalogue.resource(intent.target.parent)?.status
        )
        // A directory that was deleted since was empty then: main had followed.
        guard parents.0 != .deleted, parents.1 != .deleted else { return }
        let source = try tree.entry(intent.source)
        let target = try tree.entry(intent.target)
        if intent.isExchange {
            // What is under the source name tells whether main has followed.
            guard try main.status(source).map({ UInt64($0.st_ino) }) ?? 0 == intent.sourceInode
            else { return }
            return try tree.followExchange(source, target)
        }
        if let found = try main.status(source), UInt64(found.st_ino) == intent.sourceInode {
            return try tree.followRename(
                from: source, to: target, isDirectory: moved.kind == .directory,
                mayReplace: intent.replaced != nil)
        }
        // Main has followed already, or never had the source. What has the target's name is the moved one, unless it is
        // known to be what the rename replaced.
        guard let replacedID = intent.replaced,
            let replaced = try catalogue.resource(replacedID),
            replaced.mainInode != 0, replaced.mainInode != intent.sourceInode,
            let found = try main.status(target), UInt64(found.st_ino) == replaced.mainInode,
            try catalogue.lookup(Dentry(intent.target.parent, intent.target.name))?.id == moved.id
        else { return }
        try tree.clearTheWay(target)
    }

    /// Rows that were made, and whose main copy may not have been.
    ///
    /// A file that was in main and is not any more stays, as a leftover: that local files are absent erases nothing (I8).
    private func finishCreations(mainMayBeTorn: Bool) throws(FileSystemError) {
        let unfinished = try catalogue.creating()
        for row in unfinished where !row.inMain && (mainMayBeTorn || !row.needsUpload) {
            let isThere = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                let found = try main.status(entry).map { $0.st_mode & S_IFMT }
                switch row.kind {
                case .file: return found == S_IFREG
                case .directory:
                    if found == S_IFDIR { return true }
                    if found != nil { try tree.clearTheWay(entry) }
                    let shown = try tree.forMain(row)
                    try main.makeDirectory(entry, mode: shown.mode, uid: row.uid, gid: row.gid)
                case .symlink, .fifo, .socket, .character, .block:
                    if found == row.kind.modeBits { return true }
                    if found != nil { try tree.clearTheWay(entry) }
                    try main.makeNode(entry, try tree.forMain(row))
                }
                return true
            }
            pass("repair.creation")
            let inode = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                try main.inode(entry)
            }
            try catalogue.change(
                .processCrash,
                .finishCreation(row.id, inode: isThere == true ? inode ?? 0 : nil, now: currentTime()))
        }
    }

    /// Uploads whose answer or commit was lost, of files that need none any more.
    ///
    /// Whether the object exists is not known, so it is removed. The next upload of the other files decides: the same
    /// content goes to the same key again.
    private func abandonUnwantedUploads() throws(FileSystemError) {
        let versions = try catalogue.unwantedUploads()
        guard !versions.isEmpty else { return }
        try catalogue.change(.processCrash, .abandon(versions.map(\.id), now: currentTime()))
    }

    /// Files whose content is not in backup: the background takes them up.
    private func takeUpUploads(mainMayBeTorn: Bool, isUnclean: Bool) throws(FileSystemError) {
        if mainMayBeTorn { try distrustUnacknowledged() }
        pass("repair.upload")
        try catalogue.change(.processCrash, .makeUploadsDue(areSuspect: isUnclean, now: currentTime()))
    }

    /// What was written and not acknowledged before a power cut may be torn: backup has the file.
    private func distrustUnacknowledged() throws(FileSystemError) {
        let synced = try catalogue.setting(Setting.checkpoint).flatMap { Nanoseconds($0) } ?? 0
        for row in try catalogue.aheadOfBackup() {
            let isSettled = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                // Unchanged since main was last synced: it is on the disk as programs wrote it.
                guard let status = try main.status(entry) else { return false }
                return Nanoseconds(status.st_ctim) < synced
            }
            if isSettled == true { continue }
            if try mayBeAcknowledged(row) { continue }
            // The version in backup is the last acknowledged one and is the file; or that is one whose upload was begun, if
            // its object is there, which the next upload or read asks. If backup never had any, main's copy may still be all
            // there is.
            if row.inBackup {
                _ = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                    try tree.setAside(entry, .unacknowledged, of: row.id)
                }
                pass("repair.aside")
            }
            try catalogue.change(.processCrash, .distrust(row, now: currentTime()))
        }
    }

    /// Whether main holds, byte for byte, a content whose upload was begun.
    ///
    /// Then it is not torn, and its close may have returned: the commit that said so is not synced (Write.5).
    private func mayBeAcknowledged(_ row: Resource) throws(FileSystemError) -> Bool {
        let begun = try catalogue.versions(of: row.id).filter { $0.state == .uploading }
        guard !begun.isEmpty else { return false }
        let found = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
            try main.openFile(entry, writing: false)
        }
        guard let copy = found ?? nil, let size = try? copy.status().st_size,
            let digests = try? ContentDigests(ofFile: copy.number, length: Int64(size), .content)
        else { return false }
        return begun.contains { $0.size == Int64(size) && $0.sha256 == digests.sha256 }
    }
}
