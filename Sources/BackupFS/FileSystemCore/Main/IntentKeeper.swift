// An intent may be forgotten only when main's own change of names would survive a power cut: until then a start must be able
// to repeat it. Syncing the directories is left to the background, for all renames and links of about a second at once.
// Until then the intent is marked: after the death of the daemon alone it must not be repeated, since the names may have
// been used again.
//
// The same sync brings what was uploaded and recovered to the disk, and lets its rows say so.

import Catalogue
import Glibc
import Logging
import Synchronization

/// The intents that main has followed, and whose directories are not known to be on the disk yet.
final class IntentKeeper: Sendable {
    private let tree: MainTree
    private let files: FileTable
    private let catalogue: CatalogueClient
    private let logger: Logger
    private let followed = Mutex<[FollowedIntent]>([])

    init(tree: MainTree, files: FileTable, catalogue: CatalogueClient, logger: Logger) {
        self.tree = tree
        self.files = files
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
    ///
    /// Copies alone are no reason before they have waited for `patience`: main is synced with all that others write there,
    /// and all that is at stake is a comparison.
    func finish(patience: Duration = .zero) {
        settleDoubted()
        let batch = followed.withLock { followed in
            defer { followed = [] }
            return followed
        }
        let copies = tree.unsynced.all
        guard !batch.isEmpty || !copies.isEmpty && tree.unsynced.haveWaited(patience) else { return }
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
            logger.error("the catalogue could not vouch for files in main", metadata: ["error": "\(error)"])
        }
    }

    /// Copies of which a sync of main did not say whether it wrote them: those that are not on the disk go, since backup has
    /// them (I13).
    ///
    /// `sync` is fdatasync(2): through a descriptor that was just opened it tells of a failure of which nobody was told yet.
    func settleDoubted(_ sync: (Int32) -> Int32 = { fdatasync($0) }) {
        for known in tree.unsynced.doubted {
            do throws(FileSystemError) {
                guard let row = try catalogue.resource(known.id), row.status != .deleted,
                    row.version == known.version, !row.needsUpload, let copy = try tree.mainCopy(row) ?? nil,
                    try UInt64(copy.status().st_ino) == known.copy.inode
                else {
                    tree.unsynced.settle([known])
                    continue
                }
                if sync(copy.number) == 0 {
                    tree.unsynced.note(known)
                    continue
                }
                files.peek(known.id)?.content { $0.mainLostData() }
                try tree.setAside(copy, of: row, .notWritten)
                files.contentChanged(known.id)
                tree.unsynced.settle([known])
            } catch {
                logger.error(
                    "a file that main could not write is not out of the way yet",
                    metadata: ["inode": "\(known.id.rawValue)", "error": "\(error)"])
            }
        }
    }
}
