// Attributes, extended attributes, and what the disk says (Attributes/).

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// The attributes of a resource, live or deleted and still open.
    package func attributes(_ id: ResourceID) throws(FileSystemError) -> Attributes {
        try attributeKeeper.attributes(id)
    }

    /// The row's attributes; the main copy's size and times while it is ahead of backup.
    package func attributes(of row: Resource) throws(FileSystemError) -> Attributes {
        try attributeKeeper.attributes(of: row)
    }

    /// Changes mode, owner and times: the row (SetAttributes.1), then the main copy (SetAttributes.2).
    package func setAttributes(_ id: ResourceID, _ changes: AttributeChanges) throws(FileSystemError) -> Attributes {
        try attributeKeeper.setAttributes(id, changes)
    }

    /// Takes the set-id bits from a file that an ordinary user has changed; whether it had any.
    @discardableResult
    package func clearSetID(_ id: ResourceID) throws(FileSystemError) -> Bool { try attributeKeeper.clearSetID(id) }

    /// The value of an extended attribute.
    package func xattr(_ id: ResourceID, _ name: XattrName) throws(FileSystemError) -> [UInt8] {
        try attributeKeeper.xattr(id, name)
    }

    /// The names of all extended attributes that were set.
    package func xattrNames(_ id: ResourceID) throws(FileSystemError) -> [XattrName] {
        try attributeKeeper.xattrNames(id)
    }

    /// Sets an extended attribute.
    package func setXattr(
        _ id: ResourceID, _ name: XattrName, _ value: [UInt8], mode: XattrMode
    ) throws(FileSystemError) {
        try attributeKeeper.setXattr(id, name, value, mode: mode)
    }

    /// Removes an extended attribute.
    package func removeXattr(_ id: ResourceID, _ name: XattrName) throws(FileSystemError) {
        try attributeKeeper.removeXattr(id, name)
    }

    private func diskDirectory(of id: ResourceID) throws(FileSystemError) -> Descriptor? {
        guard try catalogue.row(id).kind == .directory else {
            return try tree.atLocation(of: id) { (entry) throws(FileSystemError) in entry.directory }
        }
        return try tree.existingDirectory(id)
    }

    /// What statvfs(3) says of main storage: of the disk that a resource is on.
    package func fileSystemStatistics(of id: ResourceID) throws(FileSystemError) -> statvfs {
        var statistics = statvfs()
        let directory = try id == .root ? main.root : diskDirectory(of: id) ?? main.root
        guard fstatvfs(directory.number, &statistics) == 0 else { throw .main(errno: errno, during: "statvfs") }
        return statistics
    }

    /// Returns when every change of names and attributes so far is in backup: fsync of a directory, `sync`.
    package func syncJournal() async throws(FileSystemError) { try await journal.sync() }
}
