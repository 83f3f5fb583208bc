// What main storage has to follow.

/// A rename that main storage may not have followed.
package struct RenameIntent: Sendable {
    package var id: Int64
    package var resource: ResourceID
    package var source: Dentry
    package var target: Dentry
    /// The resource that had the target's name.
    package var replaced: ResourceID?
    /// The two names changed places.
    package var isExchange: Bool
    /// The inode number that main had under the source name before an exchange; 0 if it had nothing there.
    package var sourceInode: UInt64
    /// Main had followed, as a process that dies leaves it; a power cut may have taken that back.
    package var isFollowed: Bool
}

/// A change of one name of a living resource that main storage may not have followed.
package struct NameIntent: Sendable {
    package var id: Int64
    package var resource: ResourceID
    package var dentry: Dentry
    /// Main had followed, as a process that dies leaves it; a power cut may have taken that back.
    package var isFollowed: Bool
}

/// What a rename did to the catalogue.
package struct Renamed: Sendable {
    /// The resource that moved.
    package var moved: Resource
    /// The resource that had the target's name and is deleted now.
    package var replaced: Resource?
    /// The intent that main storage has to follow; nil if nothing changed (both names are one resource).
    package var intent: Int64?
}

/// What deleting a name left.
package struct Deleted: Sendable {
    /// The row as it is afterwards.
    package var row: Resource
    /// The intent that main storage has to follow if the resource lives on under another name.
    package var intent: Int64?
}

/// An intent that main has followed.
package enum FollowedIntent: Sendable {
    /// A rename or an exchange.
    case rename(Int64)
    /// A link, or an unlink of one of several names.
    case name(Int64)
}
