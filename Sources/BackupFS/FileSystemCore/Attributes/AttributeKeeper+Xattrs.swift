// Extended attributes live in the catalogue and travel with its journal. A few names are answered by BackupFS itself and
// never listed: a file tells its own state.

import Catalogue
import Glibc
import Linux
import ObjectStorage

extension AttributeKeeper {
    /// What the names begin with that BackupFS itself answers.
    private static let stateNames: StaticString = "user.backupfs."

    /// The value of an attribute.
    func xattr(_ id: ResourceID, _ name: XattrName) throws(FileSystemError) -> [UInt8] {
        if name.hasPrefix(Self.stateNames) {
            return try stateXattr(
                id, String(decoding: name.bytes.dropFirst(Self.stateNames.utf8CodeUnitCount), as: UTF8.self))
        }
        if name == .capability, let file = files.peek(id) { return try capability(of: file) }
        guard let value = try catalogue.xattr(id, name) else {
            throw .noSuchXattr
        }
        return value
    }

    /// Of an open file memory answers: the kernel asks before each write.
    private func capability(of file: FileState) throws(FileSystemError) -> [UInt8] {
        let known = file.capability
        if !known.isAbsent {
            if let value = try catalogue.xattr(file.id, .capability) { return value }
            file.foundNoCapability(at: known.changes)
        }
        throw .noSuchXattr
    }

    private func stateXattr(_ id: ResourceID, _ name: String) throws(FileSystemError) -> [UInt8] {
        let row = try catalogue.row(id)
        let version = try catalogue.storedVersion(of: row)
        let value: String? =
            switch name {
            case "state": row.needsUpload ? "pending" : row.status.rawValue
            case "key": version.map { store.location + "/" + $0.key }
            case "sha256": version.map { hexadecimal($0.sha256) }
            case "error": row.lastError
            case "control": controlPath
            default: nil
            }
        guard let value else { throw .noSuchXattr }
        return Array(value.utf8)
    }

    /// The names of all attributes that were set.
    func xattrNames(_ id: ResourceID) throws(FileSystemError) -> [XattrName] {
        try catalogue.xattrNames(id)
    }

    /// Sets an attribute.
    func setXattr(
        _ id: ResourceID, _ name: XattrName, _ value: [UInt8], mode: XattrMode
    ) throws(FileSystemError) {
        guard isSettable(name) else { throw .notSupported }
        if isAccessControl(name) { return try setAccessControl(id, name, value) }
        try storeXattr(id, name, value, mode: mode)
    }

    func storeXattr(
        _ id: ResourceID, _ name: XattrName, _ value: [UInt8], mode: XattrMode
    ) throws(FileSystemError) {
        // Before and after: an answer that was on its way meanwhile is not remembered.
        let mayBeRemembered = name == .capability
        if mayBeRemembered { files.peek(id)?.capabilityChanges() }
        defer { if mayBeRemembered { files.peek(id)?.capabilityChanges() } }
        let outcome = try catalogue.change(
            catalogue.nameDurability, .setXattr(id, name, value, mode: mode, now: currentTime()))
        switch outcome {
        case .set: return
        case .exists: throw .xattrExists
        case .missing: throw .noSuchXattr
        }
    }

    /// Removes an attribute.
    func removeXattr(_ id: ResourceID, _ name: XattrName) throws(FileSystemError) {
        guard isSettable(name) else { throw .notSupported }
        let existed = try catalogue.change(catalogue.nameDurability, .removeXattr(id, name, now: currentTime()))
        guard existed else { throw .noSuchXattr }
        // Main's copy had less than the mode says.
        if name == AccessControlList.access {
            let mode = try catalogue.row(id).mode
            _ = try setAttributes(id, AttributeChanges(mode: mode), keepingAccessControl: true)
        }
    }

    private func isSettable(_ name: XattrName) -> Bool {
        guard !name.hasPrefix(Self.stateNames) else { return false }
        return name.hasPrefix("user.") || name.hasPrefix("trusted.") || name.hasPrefix("security.")
            || isAccessControl(name)
    }

    private func isAccessControl(_ name: XattrName) -> Bool {
        name == AccessControlList.access || name == AccessControlList.inherited
    }

    /// Where the commands reach this daemon, whatever is mounted over MAIN.
    var controlPath: String {
        "/proc/\(getpid())/fd/\(tree.main.privateDirectory.number)/control.sock"
    }
}
