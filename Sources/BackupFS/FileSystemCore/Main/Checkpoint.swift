// The checkpoint: the time up to which main is known to be on its disk. After a power cut only what changed since then is
// looked at.

import Catalogue
import Logging

/// Syncs main now and then, and says in the catalogue up to when.
final class Checkpoint: Sendable {
    /// How long a change may take from its row to main: a checkpoint vouches for what began that long before it.
    static let slack: Nanoseconds = 60 * 1_000_000_000

    private let tree: MainTree
    private let catalogue: CatalogueClient
    private let logger: Logger

    init(tree: MainTree, catalogue: CatalogueClient, logger: Logger) {
        self.tree = tree
        self.catalogue = catalogue
        self.logger = logger
    }

    /// Syncs main and notes the time: what changed before needs no look after a power cut.
    func take() throws(FileSystemError) {
        let time = currentTime() - Self.slack
        try tree.sync()
        pass("checkpoint.synced")
        try catalogue.change(.processCrash, .set([Setting.checkpoint: "\(time)"]))
    }

    /// Takes one if something has changed since the change `last`.
    ///
    /// Returns the number of the newest change that it covers.
    func takeIfChanged(since last: Int64?) -> Int64? {
        do throws(FileSystemError) {
            let newest = try catalogue.newestJournalEntry()
            if newest != last { try take() }
            return newest
        } catch {
            logger.error("main could not be synced", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// The clock has gone back: no checkpoint is in its future.
    func clockWentBack() {
        let now = currentTime() - Self.slack
        catalogue.record("Clock", .limit(Setting.checkpoint, to: now))
    }
}
