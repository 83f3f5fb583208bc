// After a power cut main may lack a file whose new content was on its way, or have something else: whether that content arrived,
// and so how long the file is, only backup storage knows. It is asked before the mount serves, so that nobody is told a length that a read then belies.

import Catalogue
import Linux
import ObjectStorage

/// Decides which content such files have.
struct UndecidedFiles: Sendable {
    let storages: Storages
    let recoverer: Recoverer

    /// Returns when all are decided, or at the deadline: then the first open of one decides.
    func decide(until deadline: ContinuousClock.Instant) async {
        guard let rows = try? storages.catalogue.aheadOfBackup() else { return }
        let undecided = rows.filter(isUndecided)
        guard !undecided.isEmpty else { return }
        let done = SharedWork()
        Task(executorPreference: BlockingExecutor.shared) { [self] in
            _ = await inParallel(undecided, width: storages.settings.backgroundTransfers) { row in
                let file = storages.files.acquire(row.id)
                defer { storages.files.release(file) }
                file.load(row)
                // What cannot be brought back is told to whoever reads it.
                try? await recoverer.recover(file)
            }
            done.finish(.success(()))
        }
        _ = await done.wait(until: deadline)
    }

    private func isUndecided(_ row: Resource) -> Bool {
        guard row.kind == .file, (try? storages.catalogue.hasBegunUpload(row.id)) == true else { return false }
        if !row.inMain, !row.inBackup { return true }
        let found = try? storages.tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in
            try storages.tree.main.status(entry) != nil
        }
        return found.flatMap { $0 } == false
    }
}

extension CatalogueClient {
    /// Whether it is open if main's copy is the file: it is not what was being sent before a power cut, and if that arrived, its
    /// close may have returned.
    func isUndecided(_ row: Resource) throws(FileSystemError) -> Bool {
        guard row.needsUpload, !row.inMain, !row.inBackup else { return false }
        return try hasBegunUpload(row.id)
    }
}
