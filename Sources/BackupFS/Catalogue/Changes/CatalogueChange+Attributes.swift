// Attributes, extended attributes and settings.

/// How setxattr(2) treats an attribute that is there or is not.
package enum XattrMode: Sendable {
    case any
    case create
    case replace
}

/// What setting an extended attribute came to.
package enum XattrOutcome: Sendable {
    case set
    /// It was to be created, and is there.
    case exists
    /// It was to be replaced, and is not there.
    case missing
}

extension CatalogueChange where Outcome == XattrOutcome {
    /// Sets an extended attribute.
    package static func setXattr(
        _ id: ResourceID, _ name: XattrName, _ value: [UInt8], mode: XattrMode, now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let exists = mode == .any ? false : try transaction.reader.xattr(id, name) != nil
            if mode == .create, exists { return .exists }
            if mode == .replace, !exists { return .missing }
            try transaction.setXattr(id, name, value, now: now)
            return .set
        }
    }
}

extension CatalogueChange where Outcome == Bool {
    /// Removes an extended attribute; false if it was not set.
    package static func removeXattr(_ id: ResourceID, _ name: XattrName, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.removeXattr(id, name, now: now) }
    }
}

extension CatalogueChange where Outcome == Resource {
    /// SetAttributes.1: changes a row, and with it the extended attribute `list` if `body` gives it another value.
    ///
    /// `body` is given the row and the attribute's value, and returns both as they are to be; it may run more than once.
    package static func setAttributes(
        _ id: ResourceID, list: XattrName, now: Nanoseconds,
        _ body: @escaping @Sendable (Resource, [UInt8]?) -> (row: Resource, list: [UInt8]?)
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            guard let row = try transaction.reader.resource(id) else { throw .noSuchResource }
            let value = try transaction.reader.xattr(id, list)
            let changed = body(row, value)
            try transaction.updateAttributes(changed.row)
            if let new = changed.list, new != value { try transaction.setXattr(id, list, new, now: now) }
            return changed.row
        }
    }
}

extension CatalogueChange where Outcome == Void {
    /// Main's copy, which agreed with the row, got another time, and goes on agreeing.
    package static func noteModified(_ id: ResourceID, inode: UInt64, modified: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            guard let row = try transaction.reader.resource(id), row.mainInode == inode else { return }
            // A time says nothing of what is on the disk.
            let isUnsynced = row.mainModified == MainCopy.unsynced
            if !isUnsynced { try transaction.markMainCopy(id, inode: inode, modified: modified) }
            // An upload that was committed in between has put the older time into the row.
            guard row.modified != modified else { return }
            var corrected = row
            corrected.modified = modified
            corrected.mainModified = isUnsynced ? row.mainModified : modified
            try transaction.updateAttributes(corrected)
        }
    }

    /// Remembers settings of the catalogue.
    package static func set(_ settings: [String: String]) -> Self {
        Self { transaction throws(CatalogueError) in
            for (key, value) in settings { try transaction.set(key, to: value) }
        }
    }

    /// A time on record is not later than `limit`.
    package static func limit(_ key: String, to limit: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            let known = try transaction.reader.setting(key).flatMap { Nanoseconds($0) } ?? 0
            if known > limit { try transaction.set(key, to: "\(limit)") }
        }
    }

    /// Gives a new catalogue its root directory and its name.
    package static func establish(_ root: NewAttributes, name: String, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.createRoot(root, now: now)
            try transaction.set(Setting.catalogue, to: name)
        }
    }
}
