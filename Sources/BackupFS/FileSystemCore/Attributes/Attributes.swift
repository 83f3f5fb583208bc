import Catalogue
import Glibc

/// What stat(2) shows of a resource.
package struct Attributes: Sendable {
    /// The row, with size and times of main where main is ahead of it.
    package var row: Resource
    /// Bytes of disk in units of 512.
    package var blocks: Int64
}

/// A time that setattr sets.
package enum TimeChange: Sendable {
    case now
    case to(Nanoseconds)
}

/// What setattr(2) changes; nil is left alone.
package struct AttributeChanges: Sendable {
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?
    package var accessed: TimeChange?
    package var modified: TimeChange?

    package init(
        mode: UInt32? = nil, uid: UInt32? = nil, gid: UInt32? = nil, accessed: TimeChange? = nil,
        modified: TimeChange? = nil
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.accessed = accessed
        self.modified = modified
    }
}

extension TimeChange {
    func nanoseconds(now: Nanoseconds) -> Nanoseconds {
        switch self {
        case .now: now
        case .to(let time): time
        }
    }
}

extension AttributeChanges {
    /// A row and its access control list (the attribute's value) with these changes.
    func applied(to row: Resource, list: [UInt8]?, now: Nanoseconds) -> (row: Resource, list: [UInt8]?) {
        var row = row
        if let mode { row.mode = mode & 0o7777 }
        if let uid { row.uid = uid }
        if let gid { row.gid = gid }
        row.accessed = accessed?.nanoseconds(now: now) ?? row.accessed
        row.modified = modified?.nanoseconds(now: now) ?? row.modified
        row.changed = now
        guard let mode, let list, var changed = AccessControlList(list) else { return (row, nil) }
        changed.setMode(mode)
        return (row, changed.bytes)
    }
}
