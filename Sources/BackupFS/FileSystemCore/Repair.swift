// What a start does about an end that was not clean. It looks only at what was open or under way, so its time does not
// grow with the number of files. Each step may be done twice: a crash during repair is an end like any other.

import Catalogue
import Glibc

extension BackupFileSystem {
    /// Brings catalogue and main to agreement and hands the rest to the background.
    ///
    /// `mainMayBeTorn`: the machine itself went down, so bytes in main that were never acknowledged may be anything.
    func repair(mainMayBeTorn: Bool) throws(FileSystemError) {
        try repeatRenames(mainMayBeTorn: mainMayBeTorn)
        try repeatNames(mainMayBeTorn: mainMayBeTorn)
        try finishCreations(mainMayBeTorn: mainMayBeTorn)
        if mainMayBeTorn { try repairNames() }
        try takeUpUploads(mainMayBeTorn: mainMayBeTorn)
        try abandonUnwantedUploads()
    }

    /// Renames that the catalogue made and main may not have followed.
    private func repeatRenames(mainMayBeTorn: Bool) throws(FileSystemError) {
        for intent in try read({ reader throws(CatalogueError) in try reader.renameIntents() }) {
            if mainMayBeTorn || !intent.isFollowed,
                let moved = try read({ reader throws(CatalogueError) in try reader.resource(intent.resource) }),
                moved.status != .deleted
            {
                try repeatRename(intent, moved)
            }
            pass("repair.rename")
            try syncMain()
            try change(.powerLoss) { writer throws(CatalogueError) in
                try writer.finishRename(intent.id, replaced: intent.replaced)
            }
        }
    }

    /// Names that living resources got or lost, and main may not have followed.
    private func repeatNames(mainMayBeTorn: Bool) throws(FileSystemError) {
        for intent in try read({ reader throws(CatalogueError) in try reader.nameIntents() }) {
            let live = try read { reader throws(CatalogueError) in
                try reader.lookup(parent: intent.parent, name: intent.name)
            }
            if intent.isFollowed, !mainMayBeTorn {
                // Nothing to repeat.
            } else if live?.id == intent.resource {
                try linkInMain(intent.resource, parent: intent.parent, name: intent.name)
            } else if live == nil,
                try read({ reader throws(CatalogueError) in try reader.resource(intent.parent) })?.status == .created
            {
                _ = try main.remove(try mainDirectory(intent.parent), intent.name, isDirectory: false)
            }
            pass("repair.name")
            try syncMain()
            try change(.powerLoss) { writer throws(CatalogueError) in try writer.finishNameIntent(intent.id) }
        }
    }

    private func repeatRename(_ intent: CatalogueReader.RenameIntent, _ moved: Resource) throws(FileSystemError) {
        let parents = try read { reader throws(CatalogueError) in
            (try reader.resource(intent.sourceParent)?.status, try reader.resource(intent.targetParent)?.status)
        }
        // A directory that was deleted since was empty then: main had followed.
        guard parents.0 != .deleted, parents.1 != .deleted else { return }
        let source = try mainDirectory(intent.sourceParent)
        let target = try mainDirectory(intent.targetParent)
        if intent.isExchange {
            // What is under the source name tells whether main has followed.
            guard try main.status(source, intent.sourceName).map({ UInt64($0.st_ino) }) ?? 0 == intent.sourceInode
            else { return }
            return try followExchange(source, intent.sourceName, target, intent.targetName)
        }
        if let found = try main.status(source, intent.sourceName), UInt64(found.st_ino) == intent.sourceInode {
            return try followRename(
                source, intent.sourceName, target, intent.targetName, isDirectory: moved.kind == .directory,
                mayReplace: intent.replaced != nil)
        }
        // Main has followed already, or never had the source. What has the target's name is the moved one, unless it is
        // known to be what the rename replaced.
        guard let replacedID = intent.replaced,
            let replaced = try read({ reader throws(CatalogueError) in try reader.resource(replacedID) }),
            replaced.mainInode != 0, replaced.mainInode != intent.sourceInode,
            let found = try main.status(target, intent.targetName), UInt64(found.st_ino) == replaced.mainInode,
            try read({ reader throws(CatalogueError) in
                try reader.lookup(parent: intent.targetParent, name: intent.targetName)
            })?.id == moved.id
        else { return }
        try clearTheWay(target, intent.targetName)
    }

    /// Rows that were made, and whose main copy may not have been.
    ///
    /// A file that was in main and is not any more stays, as a leftover: that local files are absent erases nothing (I8).
    private func finishCreations(mainMayBeTorn: Bool) throws(FileSystemError) {
        let unfinished = try read { reader throws(CatalogueError) in try reader.creating() }
        for row in unfinished where !row.inMain && (mainMayBeTorn || !row.needsUpload) {
            let isThere = try atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
                let found = try main.status(directory, name).map { $0.st_mode & S_IFMT }
                switch row.kind {
                case .file: return found == S_IFREG
                case .directory:
                    if found == S_IFDIR { return true }
                    if found != nil { try clearTheWay(directory, name) }
                    try main.makeDirectory(directory, name, mode: row.mode, uid: row.uid, gid: row.gid)
                case .symlink, .fifo, .socket, .character, .block:
                    if found == row.kind.modeBits { return true }
                    if found != nil { try clearTheWay(directory, name) }
                    try main.makeNode(directory, name, row)
                }
                return true
            }
            pass("repair.creation")
            try change(.processCrash) { writer throws(CatalogueError) in
                if isThere ?? false {
                    try writer.markInMain(row.id)
                } else {
                    try writer.undoCreate(row.id, now: currentTime())
                }
            }
        }
    }

    /// Uploads whose answer or commit was lost, of files that need none any more.
    ///
    /// Whether the object exists is not known, so it is removed. The next upload of the other files decides: the same
    /// content goes to the same key again.
    private func abandonUnwantedUploads() throws(FileSystemError) {
        let versions = try read { reader throws(CatalogueError) in try reader.unwantedUploads() }
        guard !versions.isEmpty else { return }
        try change(.processCrash) { writer throws(CatalogueError) in
            for version in versions { try writer.abandonVersion(version.id, now: currentTime()) }
        }
    }

    /// Files whose content is not in backup: the background takes them up.
    private func takeUpUploads(mainMayBeTorn: Bool) throws(FileSystemError) {
        if mainMayBeTorn { try distrustUnacknowledged() }
        pass("repair.upload")
        try change(.processCrash) { writer throws(CatalogueError) in try writer.makeUploadsDue(now: currentTime()) }
    }

    /// What was written and not acknowledged before a power cut may be torn: backup has the file.
    private func distrustUnacknowledged() throws(FileSystemError) {
        for row in try read({ reader throws(CatalogueError) in try reader.aheadOfBackup() }) {
            // The version in backup is the last acknowledged one and is the file.
            _ = try atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
                let asideName = asideName(name)
                guard try main.setAside(directory, name, as: asideName) else { return }
                counters.add(\.setAside)
                logger.error(
                    "a change that was never acknowledged may be torn and was set aside",
                    metadata: ["inode": "\(row.id.rawValue)", "aside": "\(asideName)"])
            }
            pass("repair.aside")
            try change(.processCrash) { writer throws(CatalogueError) in
                try writer.markNotInMain(row.id)
                try writer.settleUpload(row.id, now: currentTime())
            }
        }
    }
}
