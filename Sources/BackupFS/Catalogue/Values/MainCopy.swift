/// What is known of the main copy at the moment of an upload.
package struct MainCopy: Hashable, Sendable {
    package var inode: UInt64
    package var size: Int64
    package var modified: Nanoseconds

    package init(inode: UInt64, size: Int64, modified: Nanoseconds) {
        self.inode = inode
        self.size = size
        self.modified = modified
    }

    /// In place of the time of a copy that is right, and may not be on the disk yet: no file has it.
    ///
    /// A row with it describes no file. Memory knows that the copy is good; whoever does not compares it.
    package static let unsynced = Nanoseconds.min
}

/// A main copy that is right, and may not be on the disk yet.
package struct UnsyncedCopy: Hashable, Sendable {
    package var id: ResourceID
    /// What it is a copy of.
    package var version: VersionID?
    package var copy: MainCopy
    /// The file's time in its row when the copy was made.
    package var rowModified: Nanoseconds

    package init(id: ResourceID, version: VersionID?, copy: MainCopy, rowModified: Nanoseconds) {
        self.id = id
        self.version = version
        self.copy = copy
        self.rowModified = rowModified
    }
}

/// What is known of a file, directory or link that main held before it had a row.
package struct AdoptedAttributes: Sendable {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    package var size: Int64
    var accessed: Nanoseconds
    package var modified: Nanoseconds
    package let changed: Nanoseconds
    package var target: [UInt8]?
    var device: UInt64
    /// The inode number in main.
    package let inode: UInt64

    package init(
        mode: UInt32, uid: UInt32, gid: UInt32, size: Int64, accessed: Nanoseconds, modified: Nanoseconds,
        changed: Nanoseconds, target: [UInt8]?, device: UInt64, inode: UInt64
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.accessed = accessed
        self.modified = modified
        self.changed = changed
        self.target = target
        self.device = device
        self.inode = inode
    }
}
