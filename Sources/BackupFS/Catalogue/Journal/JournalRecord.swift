// What the journal tells: what is true of an entity, not what was done. A record is the whole of its entity, so the last one
// counts, and telling one twice changes nothing.

/// The state of one entity.
package enum JournalRecord: Sendable, Equatable {
    case resource(ResourceRecord)
    case erasedResource(id: Int64)
    case name(parent: Int64, name: [UInt8], resource: Int64)
    case removedName(parent: Int64, name: [UInt8])
    case xattr(resource: Int64, name: [UInt8], value: [UInt8])
    case removedXattr(resource: Int64, name: [UInt8])
    /// A version beside the one that a file lives on.
    case version(VersionRecord)
    case removedVersion(id: String)

    /// What a record is about.
    package enum Entity: Sendable, Hashable {
        case resource(Int64)
        case name(parent: Int64, name: [UInt8])
        case xattr(resource: Int64, name: [UInt8])
        case version(String)
    }

    package var entity: Entity {
        switch self {
        case .resource(let state): .resource(state.id)
        case .erasedResource(let id): .resource(id)
        case .name(let parent, let name, _), .removedName(let parent, let name): .name(parent: parent, name: name)
        case .xattr(let resource, let name, _), .removedXattr(let resource, let name):
            .xattr(resource: resource, name: name)
        case .version(let state): .version(state.content.id)
        case .removedVersion(let id): .version(id)
        }
    }

    /// Whether the record says that there is no such entity.
    package var isRemoval: Bool {
        switch self {
        case .resource, .name, .xattr, .version: false
        case .erasedResource, .removedName, .removedXattr, .removedVersion: true
        }
    }

    /// A content in the bucket.
    package struct Content: Sendable, Equatable {
        /// The version's id.
        package var id: String
        package var key: String
        package var size: Int64
        /// 32 bytes.
        package var sha256: [UInt8]
        /// When its upload began; nil if an older BackupFS did that.
        package var point: ChangePoint?

        package init(id: String, key: String, size: Int64, sha256: [UInt8], point: ChangePoint?) {
            self.id = id
            self.key = key
            self.size = size
            self.sha256 = sha256
            self.point = point
        }
    }

    /// A resource with the content that backup has of it.
    package struct ResourceRecord: Sendable, Equatable {
        package var id: Int64
        package var kind: Resource.Kind
        package var status: Resource.Status
        package var mode: UInt32
        package var uid: UInt32
        package var gid: UInt32
        package var size: Int64
        package var accessed: Nanoseconds
        package var modified: Nanoseconds
        package var changed: Nanoseconds
        package var createdAt: Nanoseconds
        package var target: [UInt8]?
        package var device: UInt64 = 0
        /// When and where it was deleted.
        package var deletion: Deletion?
        package var content: Content?
        /// How many contents were stored so far.
        package var versionNumber: Int64 = 0
    }

    package struct Deletion: Sendable, Equatable {
        package var time: Nanoseconds
        /// The name that it had last; nil if that is not known.
        package var dentry: Dentry?

        package init(time: Nanoseconds, dentry: Dentry?) {
            self.time = time
            self.dentry = dentry
        }
    }

    package struct VersionRecord: Sendable, Equatable {
        package var resource: Int64
        package var content: Content
        package var createdAt: Nanoseconds
        /// Until when it is kept.
        package var keptUntil: Nanoseconds

        package init(resource: Int64, content: Content, createdAt: Nanoseconds, keptUntil: Nanoseconds) {
            self.resource = resource
            self.content = content
            self.createdAt = createdAt
            self.keptUntil = keptUntil
        }
    }
}
