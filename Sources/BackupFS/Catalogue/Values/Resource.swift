// A `Resource` is what BackupFS knows of one file, directory or symbolic link: what it is, whether it exists, and in
// which storages its bytes are. Names point to resources (a file may get several), never the other way round.

/// The number of a resource: the inode number that programs see, never given twice.
package struct ResourceID: Hashable, Sendable, Comparable, Codable {
    /// The row's number, from 1.
    package var rawValue: Int64

    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// The root directory of the mount (FUSE_ROOT_ID).
    package static let root = ResourceID(1)

    package static func < (one: ResourceID, other: ResourceID) -> Bool { one.rawValue < other.rawValue }
}

/// Nanoseconds since 1970-01-01T00:00:00Z; negative before.
package typealias Nanoseconds = Int64

/// The row of one resource.
package struct Resource: Sendable, Equatable {
    /// What kind of thing it is.
    package enum Kind: String, Sendable, Codable {
        case file
        case directory
        case symlink
        case fifo
        case socket
        case character
        case block
    }

    /// Where it is in its life.
    package enum Status: String, Sendable, Codable {
        /// The row exists; main and backup do not both have it yet.
        case creating
        /// Main and backup were both complete once.
        case created
        /// It was asked to be deleted.
        case deleted
    }

    package var id: ResourceID
    package var kind: Kind
    package var status: Status
    /// Permission, set-id and sticky bits (07777).
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Bytes of a file's content, or of a symbolic link's target.
    package var size: Int64
    package var accessed: Nanoseconds
    package var modified: Nanoseconds
    package var changed: Nanoseconds
    package var createdAt: Nanoseconds
    package var deletedAt: Nanoseconds?
    /// Names of a file; 2 plus the subdirectories of a directory.
    package var linkCount: UInt32
    /// A symbolic link's target, any bytes but NUL.
    package var target: [UInt8]?
    /// A device node's number (st_rdev); 0 otherwise.
    package var device: UInt64
    /// Main storage holds the content, as far as we know.
    package var inMain: Bool
    /// Backup storage holds the content of `version`.
    package var inBackup: Bool
    /// Main may hold content that backup does not have.
    package var needsUpload: Bool
    /// The inode number of the main copy when it was last known to agree with the row; 0 when unknown.
    package var mainInode: UInt64
    /// The main copy's mtime at that moment.
    package var mainModified: Nanoseconds
    /// The version in backup, if there is one.
    package var version: VersionID?
    /// The last failure that concerns this resource, one line.
    package var lastError: String?
}

/// What a new resource starts with.
package struct NewAttributes: Sendable {
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Permissions that are taken from the mode unless the directory has a default access control list.
    package var umask: UInt32
    /// A symbolic link's target.
    package var target: [UInt8]?
    /// A device node's number (st_rdev).
    package var device: UInt64

    package init(
        mode: UInt32, uid: UInt32, gid: UInt32, umask: UInt32 = 0, target: [UInt8]? = nil, device: UInt64 = 0
    ) {
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.umask = umask
        self.target = target
        self.device = device
    }
}

/// One uploaded, or soon to be uploaded, content of a file.
package struct Version: Sendable, Equatable {
    package enum State: String, Sendable {
        /// An upload was begun and may be tried again; whether the object exists is not known.
        case uploading
        /// The object is in backup and is the file's content.
        case stored
        /// The object was stored and is not wanted any more; removing it is under way.
        case removing
        /// An upload was begun and is not wanted any more; the object is removed in case it exists.
        case abandoned
    }

    package var id: VersionID
    package var resource: ResourceID
    /// The object's key, relative to the store's prefix.
    package var key: String
    package var size: Int64
    /// SHA-256 of the content, 32 bytes.
    package var sha256: [UInt8]
    package var state: State
    /// When its upload began; nil if that is not known.
    package var point: ChangePoint?

    package init(id: VersionID, resource: ResourceID, key: String, size: Int64, sha256: [UInt8], state: State) {
        self.id = id
        self.resource = resource
        self.key = key
        self.size = size
        self.sha256 = sha256
        self.state = state
    }
}

/// One name in a directory.
package struct DirectoryEntry: Sendable {
    /// The position after this entry; listing goes on from it.
    package var cookie: Int64
    package var name: [UInt8]
    package var resource: Resource
}
