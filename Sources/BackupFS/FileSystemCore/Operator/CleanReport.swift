/// What `backupfs clean` did, or would do.
package struct CleanReport: Codable, Sendable, Equatable {
    /// Files uploaded again.
    package var uploaded: Int
    /// Copies removed again.
    package var removed: Int
    /// Leftovers whose step failed.
    package var failed: Int
    /// Leftovers that are still there.
    package var remaining: Int

    package init(uploaded: Int, removed: Int, failed: Int, remaining: Int) {
        self.uploaded = uploaded
        self.removed = removed
        self.failed = failed
        self.remaining = remaining
    }
}

extension CleanReport {
    /// What one leftover needs.
    package struct Step: Codable, Sendable, Equatable {
        /// The file's path below the root, as `displayPath` shows it.
        package var key: String
        /// The deed.
        package var action: Action
        /// Why: the leftover's reason.
        package var reason: String

        package init(key: String, action: Action, reason: String) {
            self.key = key
            self.action = action
            self.reason = reason
        }
    }

    /// What can be done for a leftover.
    package enum Action: String, Codable, Sendable {
        /// Upload its main copy to backup storage.
        case upload
        /// Remove its copies from the storages that still hold it.
        case remove
    }
}
