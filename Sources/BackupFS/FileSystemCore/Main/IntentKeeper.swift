// An intent may be forgotten only when main's own change of names would survive a power cut: until then a start must be able
// to repeat it. Syncing the directories is left to the background, for all renames and links of about a second at once.
// Until then the intent is marked: after the death of the daemon alone it must not be repeated, since the names may have
// been used again.
//
// The same sync brings what was recovered to the disk, and lets its rows say so.

import Catalogue
import Logging
import Synchronization

/// The intents that main has followed, and whose directories are not known to be on the disk yet.
final class IntentKeeper: Sendable {
    private let tree: MainTree
    private let catalogue: CatalogueClient
    private let logger: Logger
    private let followed = Mutex<[FollowedIntent]>([])

    init(tree: MainTree, catalogue: CatalogueClient, logger: Logger) {
        self.tree = tree
        self.catalogue = catalogue
        self.logger = logger
    }

    /// Main has followed; the intent goes with the next sync.
    ///
    /// The caller holds the names: what is recorded of them later is committed after this.
    func noteFollowed(_ intent: FollowedIntent) {
        catalogue.record("Rename.3", .markFollowed(intent))
        followed.withLock { $0.append(intent) }
    }

    /// Syncs main, forgets the intents that it has followed by then, and vouches for the copies that it has got by then.
    func finish() {
        let batch = followed.withLock { followed in
            defer { followed = [] }
            return followed
        }
        let copies = tree.unsynced.all
        guard !batch.isEmpty || !copies.isEmpty else { return }
        do throws(FileSystemError) {
            try tree.sync()
        } catch {
            logger.error("main could not be synced", metadata: ["error": "\(error)"])
            return followed.withLock { $0 = batch + $0 }
        }
        pass("intents.synced")
        if !batch.isEmpty { catalogue.record("Rename.3", .finish(batch)) }
        do throws(FileSystemError) {
            try tree.vouch(for: copies)
        } catch {
            logger.error("the catalogue could not vouch for recovered files", metadata: ["error": "\(error)"])
        }
    }
}
