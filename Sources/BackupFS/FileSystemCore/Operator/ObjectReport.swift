import FoundationEssentials

/// How a comparison of the bucket with the catalogue came out: the last line of `backupfs check --objects`.
package struct ObjectReport: Codable, Sendable, Equatable {
    /// When it began.
    package var startedAt: Date
    /// When all of it was compared; nil if it was not.
    package var finishedAt: Date?
    /// Objects below the prefix, BackupFS's own left out.
    package var objects = 0
    /// Objects of files that are not there.
    package var missing = 0
    /// Objects of files with another length than they were stored with.
    package var damaged = 0
    /// Objects that the catalogue does not know.
    package var unknown = 0

    package init(startedAt: Date) { self.startedAt = startedAt }

    /// Whether bucket and catalogue agree; objects that are not ours harm nobody.
    package var isSound: Bool { missing == 0 && damaged == 0 }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(startedAt, forKey: .startedAt)
        try container.encode(finishedAt, forKey: .finishedAt)
        try container.encode(objects, forKey: .objects)
        try container.encode(missing, forKey: .missing)
        try container.encode(damaged, forKey: .damaged)
        try container.encode(unknown, forKey: .unknown)
    }

    /// One object that is not as the catalogue says: one line of `backupfs check --objects`.
    package struct Finding: Codable, Sendable, Equatable {
        package enum Problem: String, Codable, Sendable {
            /// It is not there.
            case missing
            /// It has another length.
            case damaged
            /// The catalogue does not know it.
            case unknown
        }

        /// The object's whole key in the bucket.
        package var object: String
        /// What is wrong with it.
        package var problem: Problem
        /// The path of the file that lives on it, as `displayPath` shows it; nil for an unknown object.
        package var key: String?
        /// What becomes of it, in a few plain words.
        package var action: String

        package init(object: String, problem: Problem, key: String?, action: String) {
            self.object = object
            self.problem = problem
            self.key = key
            self.action = action
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(object, forKey: .object)
            try container.encode(problem, forKey: .problem)
            try container.encode(key, forKey: .key)
            try container.encode(action, forKey: .action)
        }
    }
}
