// From a backup alone to a MAIN that can be mounted: a claim, a catalogue built from the journal, and what MAIN has compared
// with it. The catalogue is built aside and moved into place when it is whole, so a restore that was stopped is begun again.

import Catalogue
import Foundation
import Glibc
import Linux
import Logging
import ObjectStorage

/// Restores a MAIN.
package struct Restorer: Sendable {
    /// What is asked of a restore.
    package struct Request: Sendable {
        /// As the backup was last by this time; nil: as it is.
        package var time: Nanoseconds?
        /// Also from somebody who seems to use it.
        package var takesOver = false
        /// Nothing is claimed and nothing is left behind.
        package var isDryRun = false
        /// The backup stays whose it is: what is made is a copy, and no MAIN.
        package var isCopy = false

        package init() {}
    }

    /// A backup that was written less than so long ago is in use.
    private static let recent = Duration.seconds(60)
    private static let building = "restoring"

    private let main: MainStorage
    private let store: any ObjectStore
    private let logger: Logger
    private let patience: Duration
    private let progress: @Sendable (RestoreProgress) -> Void

    package init(
        main: MainStorage, store: any ObjectStore, patience: Duration = .seconds(120), logger: Logger,
        progress: @escaping @Sendable (RestoreProgress) -> Void = { _ in }
    ) {
        self.main = main
        self.store = store
        self.patience = patience
        self.logger = logger
        self.progress = progress
    }

    /// Restores; returns what it came to.
    package func restore(_ request: Request) async throws(RestoreError) -> RestoreReport {
        let begun = ContinuousClock.now
        let directory = try buildingDirectory()
        defer { removeBuilding(directory) }
        let reader = BackupReader(store, directory: directory, patience: patience)
        let identity = try await reader.identity()
        let owner = OwnerSuccession(store: store, patience: patience)
        let claims = !request.isDryRun && !request.isCopy
        if claims, !request.takesOver { try await owner.refuseIfInUse(recent: Self.recent) }
        let epoch = claims ? try await owner.claim(for: identity) : nil
        let known: Epoch?
        if let epoch { known = epoch } else { known = try await owner.newest() }
        let rebuilt = try await reader.rebuild(
            in: directory, of: identity, until: request.time, epoch: known, progress: progress)
        let findings = rebuilt.findings
        var report = RestoreReport(
            backup: store.location,
            moment: rebuilt.end.map { Date(timeIntervalSince1970: Double($0.time) / 1e9) },
            segments: rebuilt.segments, files: findings.files, bytes: findings.bytes, resources: findings.resources,
            lostAndFound: findings.orphans, gaps: rebuilt.gaps, isOwner: epoch != nil)
        if !request.isDryRun {
            do throws(FileSystemError) {
                try place(directory)
                let matched = try MainMatcher(main: main, logger: logger).match(progress)
                (report.kept, report.setAside) = (matched.kept, matched.setAside)
            } catch {
                throw .main(error)
            }
        }
        report.seconds = begun.duration(to: .now) / .seconds(1)
        return report
    }

    private func buildingDirectory() throws(RestoreError) -> Descriptor {
        do throws(SystemError) {
            let number = main.privateDirectory.number
            guard mkdirat(number, Self.building, 0o700) == 0 || errno == EEXIST else { throw SystemError("mkdir") }
            return try main.privateDirectory.openBeneath(Self.building, O_RDONLY | O_DIRECTORY)
        } catch {
            throw .main(.main(errno: error.code, during: "making a place for the catalogue"))
        }
    }

    private func removeBuilding(_ directory: Descriptor) {
        for name in CatalogueFiles.names { unlinkat(directory.number, name, 0) }
        unlinkat(main.privateDirectory.number, Self.building, AT_REMOVEDIR)
    }

    /// Moves the catalogue into its place; one that was there is kept beside it.
    private func place(_ directory: Descriptor) throws(FileSystemError) {
        let number = main.privateDirectory.number
        do throws(SystemError) {
            try syncFileSystem(of: directory)
            let replaced = "replaced-\(VersionID(now: currentTime()))"
            for name in CatalogueFiles.names where faccessat(number, name, F_OK, 0) == 0 {
                guard mkdirat(number, replaced, 0o700) == 0 || errno == EEXIST,
                    renameat(number, name, number, "\(replaced)/\(name)") == 0
                else { throw SystemError("rename") }
            }
            pass("restore.replaced")
            guard renameat(directory.number, CatalogueFiles.names[0], number, CatalogueFiles.names[0]) == 0 else {
                throw SystemError("rename")
            }
            try syncFileSystem(of: main.privateDirectory)
        } catch {
            throw .main(errno: error.code, during: "putting the catalogue in its place")
        }
        pass("restore.placed")
    }
}
