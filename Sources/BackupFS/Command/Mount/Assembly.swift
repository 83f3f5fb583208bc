// Where the rooms are put together: settings become a store, a main directory becomes a file system. Each room's own
// errors become the one line that a mount is refused with.

import FileSystemCore
import Glibc
import Linux
import Logging
import ObjectStorage

/// Makes the parts of a mount from its settings.
enum Assembly {
    /// How long backup storage may take to answer before a mount.
    static let patience = Duration.seconds(20)

    /// The backup storage that `settings` name; nothing is sent yet.
    static func store(
        _ settings: BackupSettings, environment: [String: String], logger: Logger
    ) throws(PreflightFailure) -> any ObjectStore {
        var options = StoreOptions(
            endpoint: settings.endpoint, region: settings.region, caBundle: settings.caBundle,
            transfers: settings.transfers ?? BackupSettings.defaultTransfers, addressing: settings.addressing,
            passwdFile: settings.passwdFile, profile: settings.profile,
            allowInsecure: settings.allowInsecure ?? false)
        try settings.objects?.add(to: &options)
        do throws(StoreConfigurationError) {
            return try makeObjectStore(
                try BackupURL(settings.backup ?? ""), options, environment: environment, logger: logger)
        } catch {
            throw .backupConfiguration("\(error)")
        }
    }

    /// Asks a store whether it can be used, before anything is made for it.
    static func check(_ store: any ObjectStore, patience: Duration = patience) throws(PreflightFailure) {
        do throws(ObjectStoreError) {
            try waitFor { () async throws(ObjectStoreError) in try await store.check(deadline: .now + patience) }
        } catch {
            throw .backup(error)
        }
    }

    /// Opens main storage and takes its lock.
    static func mainStorage(_ path: String) throws(PreflightFailure) -> MainStorage {
        do throws(MainStorage.OpenFailure) {
            return try MainStorage(path: path)
        } catch {
            switch error {
            case .missing(let path): throw .mainMissing(BytePath(path))
            case .notUsable(let path, let code): throw .notUsable(BytePath(path), SystemError("opening it", code))
            case .inUse(let process): throw .inUse(main: BytePath(path), process: process)
            }
        }
    }

    /// Opens the catalogue; backup storage is not asked.
    static func fileSystem(
        _ main: MainStorage, _ store: any ObjectStore, _ settings: BackupSettings, syncsNames: Bool = false,
        sendsEarly: Bool = false,
        logger: Logger
    ) throws(PreflightFailure) -> BackupFileSystem {
        var core = coreSettings(settings)
        core.syncsNames = syncsNames
        core.sendsEarly = sendsEarly
        do throws(FileSystemError) {
            return try BackupFileSystem(main: main, store: store, settings: core, logger: logger)
        } catch {
            throw .catalogue(error)
        }
    }

    /// What the core is told.
    static func coreSettings(_ settings: BackupSettings) -> FileSystemSettings {
        let transfers = settings.transfers ?? BackupSettings.defaultTransfers
        let closeTimeout = settings.closeTimeout ?? BackupSettings.defaultCloseTimeout
        return FileSystemSettings(
            closeTimeout: closeTimeout.duration, minimumRate: minimumRate(settings),
            backgroundTransfers: min(8, transfers), whenDown: settings.whenBackupIsDown?.behaviour ?? .waitForTimeout,
            mostOpenFiles: mostOpenFiles(transfers: transfers))
    }

    /// What the process may have open, less what the catalogue, directories, staging and each transfer need.
    private static func mostOpenFiles(transfers: Int) -> Int {
        max(16, Int(min(ProcessLimits.descriptors, 1 << 30)) - 100 - 4 * transfers)
    }

    /// Bytes a second that a large file's backup may count on: with a limit of bandwidth a part of that, since others
    /// have theirs.
    private static func minimumRate(_ settings: BackupSettings) -> Int64 {
        let usual: Int64 = 1 << 20
        guard let limit = settings.objects?.bandwidthLimit?.bytes else { return usual }
        return min(usual, max(1, limit / 4))
    }

    /// The backup storage of a catalogue that exists; one that cannot be made yet is made when it can be.
    ///
    /// Only what `settings` say wrongly for ever is refused: a URL that is none.
    static func knownStore(
        _ settings: BackupSettings, environment: [String: String], logger: Logger
    ) throws(PreflightFailure) -> any ObjectStore {
        let url = try self.url(settings)
        do throws(PreflightFailure) {
            return try store(settings, environment: environment, logger: logger)
        } catch {
            return LateStore(url) { () throws(PreflightFailure) in
                try store(settings, environment: environment, logger: logger)
            }
        }
    }

    /// Where the store of `settings` is.
    private static func url(_ settings: BackupSettings) throws(PreflightFailure) -> BackupURL {
        do throws(StoreConfigurationError) {
            return try BackupURL(settings.backup ?? "")
        } catch {
            throw .backupConfiguration("\(error)")
        }
    }

    /// Makes sure that the prefix is this catalogue's.
    ///
    /// A catalogue that has had its backup storage before is mounted without it, whatever the store says against us: the
    /// files that main has can be read. The line to warn with is returned. A prefix that is not ours is refused; if it
    /// `isNew` it becomes ours, unless it is another's.
    static func claim(_ fileSystem: BackupFileSystem, isNew: Bool = false) throws(PreflightFailure) -> String? {
        do throws(OwnershipError) {
            try waitFor { () async throws(OwnershipError) in
                try await fileSystem.claimPrefix(isNew: isNew, deadline: .now + patience)
            }
            return nil
        } catch {
            guard case .store(let reason) = error else { throw .ownership(error) }
            guard !isNew else { throw .backup(reason) }
            guard try !self.isNew(fileSystem) else { throw .backup(reason) }
            return "\(reason): mounted all the same, but files fail to close until it works"
        }
    }

    /// Repairs, adopts, and starts the background's work; after a power cut backup storage decides what main lost.
    static func start(_ fileSystem: BackupFileSystem) throws(PreflightFailure) {
        do throws(FileSystemError) {
            try fileSystem.start()
        } catch {
            throw .catalogue(error)
        }
        waitFor { () async in await fileSystem.decideUndecided(until: .now + .seconds(5)) }
    }

    private static func isNew(_ fileSystem: BackupFileSystem) throws(PreflightFailure) -> Bool {
        do throws(FileSystemError) {
            return try fileSystem.isNew
        } catch {
            throw .catalogue(error)
        }
    }
}
