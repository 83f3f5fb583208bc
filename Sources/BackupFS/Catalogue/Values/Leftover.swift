// What operators ask about: rows by state, and those whose storages do not match.

/// How many resources are in which state.
package struct ResourceCounts: Sendable {
    package var creating = 0
    package var created = 0
    package var deleted = 0
    package var pendingUploads = 0
    package var pendingRemovals = 0
    package var pendingJournal = 0
    package var leftovers = 0
    package var aside = 0
}

/// A resource whose storages do not match its row.
package struct Leftover: Sendable {
    package enum Reason: String, Sendable {
        /// Never asked to be deleted, and not in backup (or with content that is not in backup yet).
        case notInBackup
        /// Never asked to be deleted, recorded as created, and in no storage.
        case inNoStorage
        /// Asked to be deleted, and still in main, backup or both.
        case deletedButStored
        /// An older version whose removal failed.
        case supersededVersion
        /// What an upload that was given up may have left, and whose removal failed.
        case abandonedVersion
    }

    package var resource: Resource
    package var reason: Reason
    /// When it began to differ.
    package var since: Nanoseconds
    package var lastError: String?
    /// The names from the root down to it; where it has been deleted, those it had last.
    package var path: [[UInt8]] = []
}

/// Where a list of leftovers goes on.
package enum LeftoverPosition: Sendable {
    /// After this resource; versions follow after the last one.
    case resources(after: Int64)
    /// After this version of this resource.
    case versions(after: Int64, String)

    /// The first one.
    package static let start = LeftoverPosition.resources(after: 0)
}
