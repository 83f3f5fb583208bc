// Attributes: the row has them, and main's copy follows. While main is ahead of backup, size and times are main's.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage

/// Reads and changes the attributes of resources.
final class AttributeKeeper: Sendable {
    let catalogue: CatalogueClient
    let store: any ObjectStore
    let tree: MainTree
    let files: FileTable
    private let logger: Logger
    private var main: MainStorage { tree.main }

    init(catalogue: CatalogueClient, tree: MainTree, files: FileTable, store: any ObjectStore, logger: Logger) {
        self.catalogue = catalogue
        self.tree = tree
        self.files = files
        self.store = store
        self.logger = logger
    }

    /// The attributes of a resource, live or deleted and still open.
    func attributes(_ id: ResourceID) throws(FileSystemError) -> Attributes {
        try attributes(of: try catalogue.row(id))
    }

    /// The row's attributes; the main copy's size and times while it is ahead of backup.
    func attributes(of row: Resource) throws(FileSystemError) -> Attributes {
        var result = Attributes(row: row, blocks: row.size / 512 + (row.size % 512 > 0 ? 1 : 0))
        guard row.kind == .file else { return result }
        if let file = files.peek(row.id), let descriptor = file.verifiedDescriptor {
            // Of a file that backup has as it is, a power cut may have taken the time from main, which the row knows.
            let isAhead =
                row.needsUpload || row.status != .created || file.content { $0.needsUpload || $0.mappedCopy != nil }
            overlay(&result, try descriptor.status(), withTime: isAhead)
        } else if row.needsUpload, row.status != .deleted {
            let status = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                try main.status(entry)
            }
            if let status = status ?? nil {
                overlay(&result, status)
            } else if let begun = try catalogue.begunUpload(row.id) {
                // Main has lost it, maybe with the power: what was sent last is the file, if it arrived.
                result.row.size = begun.size
                result.blocks = begun.size / 512 + (begun.size % 512 > 0 ? 1 : 0)
            }
        }
        return result
    }

    private func overlay(_ attributes: inout Attributes, _ status: stat, withTime: Bool = true) {
        attributes.row.size = Int64(status.st_size)
        attributes.blocks = Int64(status.st_blocks)
        guard withTime else { return }
        attributes.row.modified = Nanoseconds(status.st_mtim)
        attributes.row.changed = max(attributes.row.changed, Nanoseconds(status.st_mtim))
    }

    /// Changes mode, owner and times: the row (SetAttributes.1), then the main copy (SetAttributes.2).
    func setAttributes(_ id: ResourceID, _ changes: AttributeChanges) throws(FileSystemError) -> Attributes {
        try setAttributes(id, changes, keepingAccessControl: false)
    }

    /// `keepingAccessControl`: the mode comes from an access control list, and does not change it.
    func setAttributes(
        _ id: ResourceID, _ changes: AttributeChanges, keepingAccessControl: Bool
    ) throws(FileSystemError) -> Attributes {
        let now = currentTime()
        let file = files.acquire(id)
        defer { files.release(file) }
        // An upload that looks at main's time meanwhile must not take it for the file's.
        if changes.modified != nil { file.timesChange() }
        defer { if changes.modified != nil { file.timesChanged() } }
        let updated = try catalogue.change(
            catalogue.nameDurability,
            .setAttributes(id, list: AccessControlList.access, now: now) { row, list in
                changes.applied(to: row, list: keepingAccessControl ? nil : list, now: now)
            })
        pass("attributes.row")
        followAttributes(updated, changes, file: file)
        pass("attributes.main")
        return try attributes(id)
    }

    /// Takes the set-id bits from a file that an ordinary user has changed; whether it had any.
    func clearSetID(_ id: ResourceID) throws(FileSystemError) -> Bool {
        let mode = try catalogue.row(id).mode
        var cleared = mode & ~UInt32(S_ISUID)
        // Without the group's permission to execute it is no set-group-id bit.
        if mode & UInt32(S_IXGRP) != 0 { cleared &= ~UInt32(S_ISGID) }
        guard cleared != mode else { return false }
        _ = try setAttributes(id, AttributeChanges(mode: cleared))
        return true
    }

    private func followAttributes(_ row: Resource, _ changes: AttributeChanges, file: FileState) {
        let accessed = changes.accessed == nil ? nil : row.accessed.timespec
        let modified = changes.modified == nil ? nil : row.modified.timespec
        do throws(FileSystemError) {
            let mode = changes.mode == nil ? nil : try tree.forMain(row).mode
            if let descriptor = file.descriptor ?? (row.id == .root ? main.root : nil) {
                try main.setAttributes(
                    of: descriptor, mode: mode, uid: changes.uid, gid: changes.gid, accessed: accessed,
                    modified: modified)
                if modified != nil, row.kind == .file { noteModified(row, try descriptor.status()) }
            } else if row.status != .deleted {
                _ = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
                    guard try main.status(entry) != nil else { return }
                    try main.setAttributes(
                        entry, kind: row.kind, mode: mode, uid: changes.uid, gid: changes.gid, accessed: accessed,
                        modified: modified)
                    guard modified != nil, row.kind == .file else { return }
                    if let status = try main.status(entry) { noteModified(row, status) }
                }
            }
        } catch {
            // The row is what counts; the main copy is put right when it is next written or recovered.
            logger.warning(
                "main did not take new attributes", metadata: ["inode": "\(row.id.rawValue)", "error": "\(error)"])
        }
    }

    /// A copy that is known to agree with the row goes on doing so under its new time.
    private func noteModified(_ row: Resource, _ status: stat) {
        let modified = Nanoseconds(status.st_mtim)
        guard row.mainInode == UInt64(status.st_ino), row.mainModified != modified else { return }
        catalogue.record("SetAttributes.3", .noteModified(row.id, inode: row.mainInode, modified: modified))
    }
}
