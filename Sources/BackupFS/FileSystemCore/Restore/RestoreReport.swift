import Foundation

/// How far a restore, or an export, has come.
package enum RestoreProgress: Sendable, Equatable {
    /// A part of the journal is being read.
    case journal(segment: Int, of: Int, told: Int)
    /// Files that main has are compared with the backup.
    case comparing(files: Int)
    /// Contents are fetched.
    case fetching(files: Int, bytes: Int64)
}

/// What a restore has come to.
package struct RestoreReport: Codable, Sendable, Equatable {
    /// The backup storage.
    package var backup: String
    /// The moment that was restored: when its last segment was written; nil if the journal had not begun.
    package var moment: Date?
    /// How many objects of the journal were read.
    package var segments: Int
    /// Live files, and bytes in them.
    package var files: Int
    package var bytes: Int64
    /// Files, directories, links and nodes.
    package var resources: Int
    /// How many of them had no place, and are in lost+found.
    package var lostAndFound: Int
    /// Parts of the journal that could not be used, a line each.
    package var gaps: [String]
    /// Files that MAIN had and that are what the backup has.
    package var kept = 0
    /// What MAIN had and is not, in `.backupfs/aside`.
    package var setAside = 0
    /// Files that were fetched, and those that could not be, a line each.
    package var downloaded = 0
    package var failures: [String] = []
    /// Whether the backup is this catalogue's now; false if the credentials may not write.
    package var isOwner: Bool
    package var seconds: Double = 0

    package init(
        backup: String, moment: Date?, segments: Int, files: Int, bytes: Int64, resources: Int, lostAndFound: Int,
        gaps: [String], isOwner: Bool
    ) {
        self.backup = backup
        self.moment = moment
        self.segments = segments
        self.files = files
        self.bytes = bytes
        self.resources = resources
        self.lostAndFound = lostAndFound
        self.gaps = gaps
        self.isOwner = isOwner
    }
}
