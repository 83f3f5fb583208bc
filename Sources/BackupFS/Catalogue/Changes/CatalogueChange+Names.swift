// Creations, deletions, renames and second names.

extension CatalogueChange where Outcome == Resource {
    /// Write.1: adds a resource with a name and access control lists; throws `.nameTaken` and what `create` throws.
    package static func create(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes,
        lists: [(name: XattrName, value: [UInt8])], now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let row = try transaction.create(kind, dentry, attributes, now: now)
            for list in lists { try transaction.setXattr(row.id, list.name, list.value, now: row.changed) }
            return row
        }
    }
}

extension CatalogueChange where Outcome == Deleted {
    /// Delete.1 and Delete.2: the soft delete of a name's resource, or the loss of one of its several names.
    package static func delete(
        _ dentry: Dentry, directory: Bool, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let row = try transaction.delete(dentry, directory: directory, now: now)
            // A resource that lives on under another name has nowhere else to say that main must follow.
            guard row.status != .deleted else { return Deleted(row: row, intent: nil) }
            return Deleted(row: row, intent: try transaction.addNameIntent(row.id, dentry))
        }
    }
}

extension CatalogueChange where Outcome == Renamed {
    /// Rename.1: renames, and leaves the intent that main storage has to follow.
    package static func rename(
        from source: Dentry, to target: Dentry,
        noReplace: Bool, sourceInode: UInt64, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.rename(
                from: source, to: target, noReplace: noReplace,
                sourceInode: sourceInode, now: now)
        }
    }
}

extension CatalogueChange where Outcome == Int64? {
    /// Rename.1 for two names that change places; nil if both are one resource's.
    package static func exchange(
        _ first: Dentry, _ second: Dentry,
        sourceInode: UInt64, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.exchange(
                first, second, sourceInode: sourceInode, now: now)
        }
    }
}

extension CatalogueChange where Outcome == Int64 {
    /// Link.1: another name for a resource; the intent that main storage has to follow.
    package static func link(_ id: ResourceID, _ dentry: Dentry, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.link(id, dentry, now: now)
        }
    }
}

extension CatalogueChange where Outcome == Void {
    /// Takes back a creation whose main file could not be made.
    package static func undoCreate(_ id: ResourceID, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.undoCreate(id, now: now) }
    }

    /// Takes back a link that main storage could not follow.
    package static func undoLink(
        _ id: ResourceID, _ dentry: Dentry, intent: Int64, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.undoLink(id, dentry, intent: intent, now: now)
        }
    }

    /// Takes back an exchange that main storage could not follow.
    package static func undoExchange(
        _ first: Dentry, _ second: Dentry,
        intent: Int64, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.undoExchange(
                first, second, intent: intent, now: now)
        }
    }

    /// Takes back a rename that main storage could not follow.
    package static func undoRename(
        _ renamed: Renamed, from source: Dentry, to target: Dentry, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.undoRename(
                renamed, from: source, to: target, now: now)
        }
    }

    /// Main storage has followed, and need not do so again unless the power is cut.
    package static func markFollowed(_ intent: FollowedIntent) -> Self {
        Self { transaction throws(CatalogueError) in
            switch intent {
            case .rename(let id): try transaction.markRenameFollowed(id)
            case .name(let id): try transaction.markNameFollowed(id)
            }
        }
    }

    /// Main storage has followed for good: the intents go.
    package static func finish(_ intents: [FollowedIntent]) -> Self {
        Self { transaction throws(CatalogueError) in
            for intent in intents {
                switch intent {
                case .rename(let id): try transaction.finishRename(id)
                case .name(let id): try transaction.finishNameIntent(id)
                }
            }
        }
    }
}
