// Two uses of a backup that leave it whose it is: a plain copy of everything, and a proof that it could be restored.

import Catalogue
import Foundation
import Glibc
import Linux
import Logging
import ObjectStorage

/// What a drill has proven.
package struct DrillReport: Codable, Sendable, Equatable {
    /// The backup storage.
    package var backup: String
    /// The moment that can be restored; nil if the journal had not begun.
    package var moment: Date?
    package var files: Int
    package var bytes: Int64
    /// Files whose bytes were read and have the checksum of their upload, and how many bytes that was.
    package var sampled: Int
    package var sampledBytes: Int64
    /// Objects that the journal tells of and that are not there, or have another length: their keys.
    package var missing: [String]
    /// Files that were read and are not what was uploaded, a line each.
    package var damaged: [String]
    /// Parts of the journal that cannot be used, a line each.
    package var gaps: [String]
    /// How long a restore takes until it can be mounted.
    package var seconds: Double

    /// Whether nothing is wrong.
    package var isSound: Bool { missing.isEmpty && damaged.isEmpty && gaps.isEmpty }
}

/// Reads a backup into a directory.
package struct Exporter: Sendable {
    private let main: MainStorage
    private let store: any ObjectStore
    private let logger: Logger
    private let progress: @Sendable (RestoreProgress) -> Void

    /// `main` is the directory that gets the copy.
    package init(
        main: MainStorage, store: any ObjectStore, logger: Logger,
        progress: @escaping @Sendable (RestoreProgress) -> Void
    ) {
        self.main = main
        self.store = store
        self.logger = logger
        self.progress = progress
    }

    private func rebuild(at time: Nanoseconds?) async throws(RestoreError) -> RestoreReport {
        var request = Restorer.Request()
        request.time = time
        request.isCopy = true
        return try await Restorer(main: main, store: store, logger: logger, progress: progress).restore(request)
    }

    /// Makes a plain tree of what matches `pattern` (glob(7); nil: everything).
    ///
    /// What is there already and is the same is not fetched again.
    package func export(
        at time: Nanoseconds?, matching pattern: String? = nil, _ settings: FileSystemSettings
    ) async throws(RestoreError) -> RestoreReport {
        let progress = progress
        return try await export(at: time, settings) { storages async throws(RestoreError) in
            do throws(FileSystemError) {
                return try await TreeCopier(storages, progress).copy(matching: pattern)
            } catch {
                throw .main(error)
            }
        }
    }

    /// Writes an archive of what matches `pattern` (glob(7); nil: everything) to a file or pipe; the directory holds only
    /// what is on its way.
    package func archive(
        to file: Descriptor, at time: Nanoseconds?, matching pattern: String? = nil, _ settings: FileSystemSettings
    ) async throws(RestoreError) -> RestoreReport {
        let progress = progress
        return try await export(at: time, settings) { storages async throws(RestoreError) in
            var exporter: TarExporter
            do throws(FileSystemError) {
                exporter = try TarExporter(storages, matching: pattern, to: file, progress)
            } catch {
                throw .main(error)
            }
            return try await exporter.export()
        }
    }

    private func export(
        at time: Nanoseconds?, _ settings: FileSystemSettings,
        _ copy: (Storages) async throws(RestoreError) -> DownloadOutcome
    ) async throws(RestoreError) -> RestoreReport {
        var report = try await rebuild(at: time)
        let copied: Result<DownloadOutcome, RestoreError>
        do throws(FileSystemError) {
            let system = try BackupFileSystem(main: main, store: store, settings: settings, logger: logger)
            copied = await Result { () async throws(RestoreError) in try await copy(system.storages) }
            try system.catalogue.close()
        } catch {
            throw .main(error)
        }
        let outcome = try copied.get()
        (report.downloaded, report.failures) = (outcome.files, outcome.failures)
        return report
    }

    /// Proves that the backup can be restored: builds the catalogue, looks for every object, and reads `sample` files.
    package func drill(
        sample: Int, _ settings: FileSystemSettings
    ) async throws(RestoreError) -> DrillReport {
        let restored = try await rebuild(at: nil)
        var report = DrillReport(
            backup: store.location, moment: restored.moment, files: restored.files, bytes: restored.bytes, sampled: 0,
            sampledBytes: 0, missing: [], damaged: [], gaps: restored.gaps, seconds: restored.seconds)
        do throws(FileSystemError) {
            let system = try BackupFileSystem(main: main, store: store, settings: settings, logger: logger)
            report.missing = try await missing(system)
            let rows = try await system.catalogue.askAtLength(.someFiles(sample))
            let fetched = await system.fetch(rows, progress)
            (report.sampled, report.sampledBytes, report.damaged) = (fetched.files, fetched.bytes, fetched.failures)
            do throws(CatalogueError) { try system.catalogue.catalogue.close() } catch { throw .catalogue(error) }
        } catch {
            throw .main(error)
        }
        return report
    }

    /// The keys that the catalogue has and the bucket has not, or with another length.
    private func missing(_ system: BackupFileSystem) async throws(FileSystemError) -> [String] {
        var sizes: [String: Int64] = [:]
        var last: String?
        while true {
            let page: [ListedObject]
            do throws(ObjectStoreError) {
                page = try await store.list(prefix: "", after: last, deadline: .now + .seconds(120))
            } catch {
                throw .backup(error)
            }
            for object in page where !object.key.hasPrefix(".backupfs/") { sizes[object.key] = object.size }
            guard let end = page.last else { break }
            last = end.key
        }
        var missing: [String] = []
        var after = ""
        while true {
            let page = try await system.catalogue.ask(
                .storedObjects(after: after, through: StoredObject.afterEveryKey, limit: 1000))
            missing += page.map(\.version).filter { sizes[$0.key] != $0.size }.map(\.key)
            guard let end = page.last else { return missing }
            after = end.version.key
        }
    }
}
