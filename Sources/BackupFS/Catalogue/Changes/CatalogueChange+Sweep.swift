// What a look through the bucket after a restore changes: objects that no segment told of.

/// An object that no row knows, by what it says of itself.
package struct FoundObject: Sendable {
    /// The content; its resource is the number that the file had.
    package var version: Version
    /// The names from the root down that it had at its upload; nil if it does not say.
    package var path: [[UInt8]]?
    package var attributes: NewAttributes
    package var modified: Nanoseconds

    package init(version: Version, path: [[UInt8]]?, attributes: NewAttributes, modified: Nanoseconds) {
        self.version = version
        self.path = path
        self.attributes = attributes
        self.modified = modified
    }
}

/// What became of an object that no row knew.
package enum FoundObjectOutcome: Sendable {
    /// It is the content of its file, which was there.
    case newerContent
    /// It is a file again.
    case file
    /// Nobody needs it: it goes when it was kept for a while.
    case orphan
    /// A row knows it by now.
    case known
}

extension CatalogueChange where Outcome == FoundObjectOutcome {
    /// Takes an object in that is newer than what the journal told: its close may have returned.
    package static func adopt(_ object: FoundObject, orphansUntil: Nanoseconds, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            let version = object.version
            guard try transaction.reader.knownKeys([version.key]).isEmpty else { return .known }
            let row = try transaction.reader.resource(version.resource)
            if let row {
                let current = try row.version.map { id throws(CatalogueError) in try transaction.reader.version(id) }
                let isOlder = current?.flatMap { known in known.point.map { $0 >= version.point ?? $0 } } ?? false
                guard row.kind == .file, row.status != .deleted, !isOlder else {
                    try transaction.keepOrphan(version, until: orphansUntil, now: now)
                    return .orphan
                }
            } else {
                try transaction.recreate(object, now: now)
            }
            _ = try transaction.beginUpload(version, epoch: version.point?.epoch ?? 0, now: now) { _ in false }
            let seen = try transaction.live(version.resource)
            _ = try transaction.commitUpload(
                version, main: nil, seen: seen, stillChanging: false, keepsTime: false, now: now)
            var changed = try transaction.live(version.resource)
            (changed.modified, changed.changed) = (object.modified, max(changed.changed, object.modified))
            try transaction.updateAttributes(changed)
            return row == nil ? .file : .newerContent
        }
    }

    /// An object that is older than what the journal told, and that the journal does not tell of.
    package static func keepOrphan(_ version: Version, until: Nanoseconds, now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            guard try transaction.reader.knownKeys([version.key]).isEmpty else { return .known }
            try transaction.keepOrphan(version, until: until, now: now)
            return .orphan
        }
    }
}

extension CatalogueTransaction {
    /// Makes the row of a file that only its object tells of, at its place if that is free, or else in `lost+found`.
    fileprivate func recreate(_ object: FoundObject, now: Nanoseconds) throws(CatalogueError) {
        let id = object.version.resource
        var place: Dentry?
        if let name = object.path?.last, let above = object.path?.dropLast() {
            let parent = try reader.resource(atPath: Array(above))
            if let parent, parent.kind == .directory, parent.status != .deleted {
                let dentry = Dentry(parent.id, name)
                if dentry.isPossible, try reader.lookup(dentry) == nil { place = dentry }
            }
        }
        if let place {
            _ = try create(.file, place, object.attributes, as: id, now: now)
        } else {
            let name = Array("\(id.rawValue)-".utf8) + (object.path?.last ?? Array("file".utf8))
            let home = try lostAndFound(now: now)
            _ = try create(.file, Dentry(home, Array(name.prefix(255))), object.attributes, as: id, now: now)
        }
    }

    private func lostAndFound(now: Nanoseconds) throws(CatalogueError) -> ResourceID {
        let dentry = Dentry(.root, Array("lost+found".utf8))
        if let known = try reader.lookup(dentry), known.kind == .directory { return known.id }
        let root = try live(.root)
        let attributes = NewAttributes(mode: 0o700, uid: root.uid, gid: root.gid)
        let row = try create(.directory, dentry, attributes, now: now)
        try markInMain(row.id, inode: 0)
        return row.id
    }

    /// Adds a resource with a name and the next number.
    func create(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes, now: Nanoseconds
    ) throws(CatalogueError) -> Resource {
        try create(kind, dentry, attributes, as: nil, now: now)
    }
}
