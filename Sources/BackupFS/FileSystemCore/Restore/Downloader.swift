// Contents that are in backup only, fetched before anybody reads them.

import Catalogue
import Glibc
import Linux
import ObjectStorage
import Synchronization

/// What fetching came to.
package struct DownloadOutcome: Sendable, Equatable {
    package var files = 0
    package var bytes: Int64 = 0
    /// Files that could not be fetched, a line each.
    package var failures: [String] = []
}

extension BackupFileSystem {
    /// Rows that are looked at at a time.
    private static let downloadPage = 2048

    /// Fetches every file that main lacks and whose path matches `pattern` (glob(7); nil: all), and ends the file system.
    ///
    /// It must not have been started.
    package func download(
        matching pattern: String?, _ progress: @escaping @Sendable (RestoreProgress) -> Void
    ) async -> DownloadOutcome {
        var outcome = await fetch(matching: pattern, progress)
        intents.finish()
        do throws(CatalogueError) { try catalogue.catalogue.close() } catch {
            outcome.failures.append("\(FileSystemError.catalogue(error))")
        }
        return outcome
    }

    func fetch(
        matching pattern: String?, _ progress: @escaping @Sendable (RestoreProgress) -> Void
    ) async -> DownloadOutcome {
        var all = DownloadOutcome()
        var last = ResourceID.root
        while true {
            let after = last
            let page: [Resource]
            do throws(FileSystemError) {
                page = try await catalogue.ask(.filesInBackupOnly(after: after, limit: Self.downloadPage))
            } catch {
                all.failures.append("\(error)")
                return all
            }
            guard let end = page.last else { return all }
            last = end.id
            let before = all
            let some = await fetch(page.filter { row in pattern.map { isMatched(row.id, $0) } ?? true }) { step in
                guard case .fetching(let files, let bytes) = step else { return }
                progress(.fetching(files: before.files + files, bytes: before.bytes + bytes))
            }
            all.files += some.files
            all.bytes += some.bytes
            all.failures += some.failures
        }
    }

    /// Fetches some files.
    func fetch(
        _ rows: [Resource], _ progress: @escaping @Sendable (RestoreProgress) -> Void
    ) async -> DownloadOutcome {
        let outcome = Mutex(DownloadOutcome())
        _ = await inParallel(rows, width: ContentFetcher.width) { [self] row in
            await download(row, outcome, progress)
        }
        return outcome.withLock { $0 }
    }

    private func download(
        _ row: Resource, _ outcome: borrowing Mutex<DownloadOutcome>, _ progress: @Sendable (RestoreProgress) -> Void
    ) async {
        let file = files.acquire(row.id)
        defer { files.release(file) }
        file.load(row)
        do throws(FileSystemError) {
            try await recoverer.recover(file)
            let (files, bytes) = outcome.withLock { outcome in
                outcome.files += 1
                outcome.bytes += row.size
                return (outcome.files, outcome.bytes)
            }
            progress(.fetching(files: files, bytes: bytes))
        } catch {
            let path = (try? catalogue.path(of: row.id)).flatMap { $0 }.map { displayPath($0) } ?? "\(row.id.rawValue)"
            outcome.withLock { $0.failures.append("\(path): \(error)") }
        }
    }

    private func isMatched(_ id: ResourceID, _ pattern: String) -> Bool {
        let paths = (try? catalogue.locations(of: id))?.compactMap { place in
            (try? catalogue.path(of: place.parent)).flatMap { $0 }.map { $0 + [place.name] }
        }
        return (paths ?? []).contains { path in
            withText(Array(path.joined(separator: [UInt8(ascii: "/")]))) { fnmatch(pattern, $0, 0) == 0 }
        }
    }
}
