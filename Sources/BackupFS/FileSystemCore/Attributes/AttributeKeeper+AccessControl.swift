// What an access control list means for the mode, for chmod and for what is new in a directory.

import Catalogue
import Glibc

extension AttributeKeeper {
    /// The mode and lists of something new in a directory: from the directory's default list, or else from the umask.
    func inheritance(
        of kind: Resource.Kind, _ attributes: NewAttributes, from parent: ResourceID
    ) throws(FileSystemError) -> (mode: UInt32, lists: [(name: XattrName, value: [UInt8])]) {
        guard kind != .symlink else { return (attributes.mode, []) }
        let value = try catalogue.xattr(parent, AccessControlList.inherited)
        guard let value, var list = AccessControlList(value) else {
            return (attributes.mode & ~(attributes.umask & 0o777), [])
        }
        list.restrict(to: attributes.mode)
        var lists: [(name: XattrName, value: [UInt8])] = []
        if !list.isMode { lists.append((AccessControlList.access, list.bytes)) }
        if kind == .directory { lists.append((AccessControlList.inherited, value)) }
        return (attributes.mode & ~0o777 | list.modeBits, lists)
    }

    /// Sets a list; one that says no more than a mode becomes the mode.
    func setAccessControl(_ id: ResourceID, _ name: XattrName, _ value: [UInt8]) throws(FileSystemError) {
        let row = try catalogue.row(id)
        guard row.kind != .symlink else { throw .notSupported }
        if name == AccessControlList.inherited, row.kind != .directory { throw .denied }
        guard let list = AccessControlList(value) else {
            // A list without entries removes the attribute.
            guard value.count == 4 else { throw .invalid }
            return try removeXattrIfSet(id, name)
        }
        guard name == AccessControlList.access else { return try storeXattr(id, name, value, mode: .any) }
        // The list first: the mode alone would open main's copy to the owning group.
        if list.isMode { try removeXattrIfSet(id, name) } else { try storeXattr(id, name, value, mode: .any) }
        _ = try setAttributes(id, AttributeChanges(mode: row.mode & ~0o777 | list.modeBits), keepingAccessControl: true)
    }

    private func removeXattrIfSet(_ id: ResourceID, _ name: XattrName) throws(FileSystemError) {
        _ = try catalogue.change(catalogue.nameDurability, .removeXattr(id, name, now: currentTime()))
    }
}
