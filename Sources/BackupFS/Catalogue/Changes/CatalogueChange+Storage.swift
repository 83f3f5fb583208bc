// What was found out about main and backup, and what start and scrub do about it.

extension CatalogueChange where Outcome == Void {
    /// Write.3: main has it.
    package static func markInMain(_ id: ResourceID, inode: UInt64) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.markInMain(id, inode: inode) }
    }

    /// A verified content is in main.
    package static func markMainCopy(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.markMainCopy(id, inode: inode, modified: modified)
        }
    }

    /// Copies that were not on the disk are on it: those that their rows still tell of, and that nobody has written since,
    /// look from now on like what the row describes.
    package static func vouch(for copies: [UnsyncedCopy]) -> Self {
        Self { transaction throws(CatalogueError) in
            for known in copies {
                guard let row = try transaction.reader.resource(known.id), row.status != .deleted, row.inMain,
                    row.version == known.version, row.mainInode == known.copy.inode,
                    row.mainModified == MainCopy.unsynced, !row.needsUpload
                else { continue }
                // Main's copy has followed a time that a program has set.
                let modified = row.modified == known.rowModified ? known.copy.modified : row.modified
                try transaction.markMainCopy(known.id, inode: row.mainInode, modified: modified)
            }
        }
    }

    /// After a power cut: these copies look like what their rows describe, and may not be on the disk.
    package static func doubtCopies(_ ids: [ResourceID]) -> Self {
        Self { transaction throws(CatalogueError) in
            for id in ids {
                guard let row = try transaction.reader.resource(id) else { continue }
                try transaction.markMainCopy(id, inode: row.mainInode, modified: MainCopy.unsynced)
            }
        }
    }

    /// Read.3: main does not have the copy that a live resource's row tells of.
    package static func markNotInMain(_ row: Resource) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.markNotInMain(row.id, seen: row.mainInode) }
    }

    /// Backup has the row's version after all.
    package static func markInBackup(_ id: ResourceID) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.markInBackup(id) }
    }

    /// A creation that the last run left: main has it (`inode`), its close may have returned, or nothing of it remains.
    package static func finishCreation(_ id: ResourceID, inode: UInt64?, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            if let inode {
                try transaction.markInMain(id, inode: inode)
            } else if try transaction.reader.hasBegunUpload(id) {
                // Its close may have returned.
                try transaction.markNeedsUpload(id, due: nil)
            } else {
                try transaction.undoCreate(id, now: now)
            }
        }
    }

    /// After a power cut: main's copy was never acknowledged, and is not the file any more.
    package static func distrust(_ row: Resource, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.markNotInMain(row.id, seen: row.mainInode)
            guard try !transaction.reader.hasBegunUpload(row.id) else { return }
            try transaction.settleUpload(row.id, now: now)
        }
    }

    /// Objects that rows name are back.
    package static func noteReturn(of versions: [Version]) -> Self {
        Self { transaction throws(CatalogueError) in
            for version in versions { try transaction.noteReturn(of: version) }
        }
    }

    /// It lies where its row says.
    package static func settleAside(_ id: Int64) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.settleAside(id) }
    }

    /// It is not there any more: never moved, brought back, or discarded.
    package static func forgetAside(_ id: Int64) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.forgetAside(id) }
    }

    /// It is about to be brought back under a name that nothing has.
    package static func beginRestore(_ id: Int64, _ dentry: Dentry) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.beginRestore(id, dentry) }
    }
}

extension CatalogueChange where Outcome == Int64 {
    /// Something is about to be set aside; its number.
    package static func addAside(
        _ path: [[UInt8]], _ reason: AsideEntry.Reason, of resource: ResourceID?, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.addAside(path, reason, of: resource, now: now)
        }
    }
}

extension CatalogueChange where Outcome == Bool {
    /// Read.7: backup does not have the version; false, with nothing changed, if the row names another one by now.
    package static func loseVersion(_ version: Version, error: String) -> Self {
        Self { transaction throws(CatalogueError) in
            guard try transaction.reader.resource(version.resource)?.version == version.id else { return false }
            try transaction.markNotInBackup(version.resource, error: error)
            return true
        }
    }
}

/// An object that is not as it was stored, and what main has of it.
package struct FoundLoss: Sendable {
    package var version: Version
    package var hasMainCopy: Bool
    package var error: String

    package init(version: Version, hasMainCopy: Bool, error: String) {
        self.version = version
        self.hasMainCopy = hasMainCopy
        self.error = error
    }
}

/// What a loss came to, and whose it is.
package struct NotedLoss: Sendable {
    package var loss: ObjectLoss
    /// The names from the root down to the file.
    package var path: [[UInt8]]
}

extension CatalogueChange where Outcome == [NotedLoss?] {
    /// Objects that live files' rows name are not in backup as they were stored; nil for each that is not named any more.
    package static func noteLosses(_ losses: [FoundLoss], now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            var noted: [NotedLoss?] = []
            for found in losses {
                let loss = try transaction.noteLoss(
                    of: found.version, hasMainCopy: found.hasMainCopy, error: found.error, now: now)
                let path = try transaction.reader.lastPath(of: found.version.resource)
                noted.append(loss.map { NotedLoss(loss: $0, path: path) })
            }
            return noted
        }
    }
}

/// Something in main that is to get its row.
package struct Adoptable: Sendable {
    package var kind: Resource.Kind
    package var name: [UInt8]
    package var attributes: AdoptedAttributes
    /// The resource that it is another name of.
    package var linkedTo: ResourceID?

    package init(kind: Resource.Kind, name: [UInt8], attributes: AdoptedAttributes, linkedTo: ResourceID?) {
        self.kind = kind
        self.name = name
        self.attributes = attributes
        self.linkedTo = linkedTo
    }
}

extension CatalogueChange where Outcome == [ResourceID] {
    /// Gives what one directory holds its rows; returns each one's resource.
    ///
    /// `sameAs`: of two names of one file in the directory, the index of the first.
    package static func adopt(
        _ entries: [Adoptable], sameAs: [Int?], in parent: ResourceID, isFirst: Bool
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            var adopted: [ResourceID] = []
            for (entry, first) in zip(entries, sameAs) {
                if let known = first.map({ adopted[$0] }) ?? entry.linkedTo {
                    try transaction.adoptLink(known, Dentry(parent, entry.name))
                    adopted.append(known)
                } else {
                    adopted.append(
                        try transaction.adopt(
                            entry.kind, Dentry(parent, entry.name), entry.attributes, isFirst: isFirst))
                }
            }
            return adopted
        }
    }
}
