// Names: create, delete, rename. Each keeps link counts and the times of the directories with it.

import Foundation
import GRDB

extension CatalogueWriter {
    func create(
        _ kind: Resource.Kind, _ dentry: Dentry, _ attributes: NewAttributes, as id: ResourceID?, now: Nanoseconds
    ) throws(CatalogueError) -> Resource {
        let directory = try live(dentry.parent)
        guard directory.kind == .directory else { throw .notDirectory }
        guard try reader.lookup(dentry) == nil else { throw .nameTaken }
        try run(
            """
            INSERT INTO resource (id, kind, status, mode, uid, gid, size, accessed, modified, changed, created_at,
                link_count, target, device) VALUES (?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                id?.rawValue, kind.rawValue, attributes.mode, attributes.uid, attributes.gid,
                attributes.target?.count ?? 0, now, now,
                now, now, kind == .directory ? 2 : 1, attributes.target.map { Data($0) },
                Int64(bitPattern: attributes.device),
            ])
        let id = ResourceID(database.lastInsertedRowID)
        try run(
            "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)",
            [dentry.parent.rawValue, Data(dentry.name), id.rawValue])
        try touchDirectory(dentry.parent, linkChange: kind == .directory ? 1 : 0, now: now)
        return try live(id)
    }

    func undoCreate(_ id: ResourceID, now: Nanoseconds) throws(CatalogueError) {
        guard let resource = try reader.resource(id) else { return }
        let location = try reader.location(of: id)
        if let location {
            try touchDirectory(location.parent, linkChange: resource.kind == .directory ? -1 : 0, now: now)
        }
        try run("DELETE FROM name WHERE resource = ?", [id.rawValue])
        memory?.touchesXattrs(of: id)
        try run("DELETE FROM xattr WHERE resource = ?", [id.rawValue])
        guard try reader.versions(of: id).isEmpty else {
            // Objects of it may exist: the row goes the way of every deleted one.
            return try markDeleted(resource, location, now: now)
        }
        try run("DELETE FROM resource WHERE id = ?", [id.rawValue])
    }

    func delete(
        _ dentry: Dentry, directory: Bool, now: Nanoseconds
    ) throws(CatalogueError) -> Resource {
        guard let resource = try reader.lookup(dentry) else { throw .noSuchResource }
        if directory {
            guard resource.kind == .directory else { throw .notDirectory }
            guard try reader.list(resource.id, after: 0, limit: 1).isEmpty else { throw .notEmpty }
        } else if resource.kind == .directory {
            throw .isDirectory
        }
        try run("DELETE FROM name WHERE parent = ? AND name = ?", [dentry.parent.rawValue, Data(dentry.name)])
        try touchDirectory(dentry.parent, linkChange: directory ? -1 : 0, now: now)
        if !directory, resource.linkCount > 1 {
            try changeLinkCount(resource.id, by: -1, now: now)
        } else {
            try markDeleted(resource, dentry, now: now)
        }
        return try reader.resource(resource.id) ?? resource
    }

    private func markDeleted(
        _ resource: Resource, _ location: Dentry?, now: Nanoseconds
    ) throws(CatalogueError) {
        try run(
            """
            UPDATE resource SET status = 'deleted', deleted_at = ?, deleted_parent = ?, deleted_name = ?, changed = ?,
                link_count = 0, due = ?, attempts = 0, failing_since = NULL, last_error = NULL WHERE id = ?
            """,
            [
                now, location?.parent.rawValue, location.map { Data($0.name) }, now, now, resource.id.rawValue,
            ])
    }

    func rename(
        from source: Dentry, to target: Dentry,
        noReplace: Bool, sourceInode: UInt64 = 0, now: Nanoseconds
    ) throws(CatalogueError) -> Renamed {
        guard let moved = try reader.lookup(source) else { throw .noSuchResource }
        guard try live(target.parent).kind == .directory else { throw .notDirectory }
        if moved.kind == .directory { try refuseLoop(moving: moved.id, into: target.parent) }
        let replaced = try reader.lookup(target)
        if let replaced {
            guard !noReplace else { throw .nameTaken }
            if replaced.id == moved.id { return Renamed(moved: moved, replaced: nil, intent: nil) }
            if moved.kind == .directory, replaced.kind != .directory { throw .notDirectory }
            if moved.kind != .directory, replaced.kind == .directory { throw .isDirectory }
            _ = try delete(
                target, directory: replaced.kind == .directory, now: now)
        }
        try run(
            "UPDATE name SET parent = ?, name = ? WHERE parent = ? AND name = ?",
            [target.parent.rawValue, Data(target.name), source.parent.rawValue, Data(source.name)])
        let isDirectory = moved.kind == .directory
        try touchDirectory(source.parent, linkChange: isDirectory ? -1 : 0, now: now)
        try touchDirectory(target.parent, linkChange: isDirectory ? 1 : 0, now: now)
        try run("UPDATE resource SET changed = ? WHERE id = ?", [now, moved.id.rawValue])
        try run(
            """
            INSERT INTO rename_intent (resource, source_parent, source_name, target_parent, target_name, replaced,
                source_inode) VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                moved.id.rawValue, source.parent.rawValue, Data(source.name), target.parent.rawValue, Data(target.name),
                replaced?.id.rawValue, Int64(bitPattern: sourceInode),
            ])
        return Renamed(moved: moved, replaced: replaced, intent: database.lastInsertedRowID)
    }

    func markRenameFollowed(_ intent: Int64) throws(CatalogueError) {
        try run("UPDATE rename_intent SET followed = 1 WHERE id = ?", [intent])
    }

    func finishRename(_ intent: Int64) throws(CatalogueError) {
        try run("DELETE FROM rename_intent WHERE id = ?", [intent])
    }

    func undoRename(
        _ renamed: Renamed, from source: Dentry, to target: Dentry, now: Nanoseconds
    ) throws(CatalogueError) {
        let isDirectory = renamed.moved.kind == .directory
        try run(
            "UPDATE name SET parent = ?, name = ? WHERE parent = ? AND name = ?",
            [source.parent.rawValue, Data(source.name), target.parent.rawValue, Data(target.name)])
        try touchDirectory(source.parent, linkChange: isDirectory ? 1 : 0, now: now)
        try touchDirectory(target.parent, linkChange: isDirectory ? -1 : 0, now: now)
        if let replaced = renamed.replaced {
            try run(
                """
                UPDATE resource SET status = ?, deleted_at = NULL, deleted_parent = NULL, deleted_name = NULL,
                    link_count = ?, changed = ?, due = CASE WHEN needs_upload THEN ? END WHERE id = ?
                """,
                [replaced.status.rawValue, replaced.linkCount, replaced.changed, now, replaced.id.rawValue])
            try run(
                "INSERT INTO name (parent, name, resource) VALUES (?, ?, ?)",
                [target.parent.rawValue, Data(target.name), replaced.id.rawValue])
            try touchDirectory(target.parent, linkChange: isDirectory ? 1 : 0, now: now)
        }
        if let intent = renamed.intent { try finishRename(intent) }
    }

    func refuseLoop(moving id: ResourceID, into directory: ResourceID) throws(CatalogueError) {
        var current = directory
        while current != .root {
            guard current != id else { throw .wouldLoop }
            guard let step = try reader.location(of: current) else { return }
            current = step.parent
        }
    }

    func changeLinkCount(_ id: ResourceID, by change: Int, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET link_count = link_count + ?, changed = ? WHERE id = ?", [change, now, id.rawValue])
    }

    func touchDirectory(_ id: ResourceID, linkChange: Int, now: Nanoseconds) throws(CatalogueError) {
        try run(
            "UPDATE resource SET modified = ?, changed = ?, link_count = link_count + ? WHERE id = ?",
            [now, now, linkChange, id.rawValue])
    }
}
