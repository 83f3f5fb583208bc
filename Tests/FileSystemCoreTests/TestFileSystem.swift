// The file system without a mount: MAIN in a temporary directory, backup in memory with faults in front of it. A daemon
// can be stopped, and it can be killed: what a killed one still has under way reaches neither catalogue nor lock.

import Foundation
import Glibc
import Logging
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

/// One MAIN and one store of a test's own, with a daemon that comes and goes.
final class TestFileSystem: Sendable {
    private struct Daemon {
        let core: BackupFileSystem
        let store: FaultyStore
    }

    /// MAIN's path.
    let main: String
    /// What backup holds, whichever daemon runs.
    let memory: MemoryStore
    private let settings: BackupFileSystem.Settings
    private let daemon = Mutex<Daemon?>(nil)

    private init(_ settings: BackupFileSystem.Settings, _ memory: MemoryStore) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "core-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        main = directory.path
        self.memory = memory
        self.settings = settings
    }

    /// Runs `body` on a new file system, and takes everything away at the end.
    ///
    /// `prepare` is given MAIN before BackupFS ever sees it. Nothing is opened if `mounting` is false.
    static func run(
        closeTimeout: Duration = .seconds(120), whenDown: BackupFileSystem.WhenDown = .waitForTimeout,
        scrubInterval: Duration = .seconds(3600), memory: MemoryStore = MemoryStore(), mounting: Bool = true,
        prepare: (TestFileSystem) throws -> Void = { _ in }, _ body: (TestFileSystem) async throws -> Void
    ) async throws {
        let settings = BackupFileSystem.Settings(
            closeTimeout: closeTimeout, minimumRate: 1 << 30, whenDown: whenDown, scrubInterval: scrubInterval)
        let system = try TestFileSystem(settings, memory)
        do {
            try prepare(system)
            if mounting { try await system.mount() }
            try await body(system)
        } catch {
            await system.end()
            throw error
        }
        await system.end()
    }

    private func end() async {
        if let last = daemon.withLock({ $0.take() }) {
            last.store.heal()
            await last.core.shutdown(timeout: .seconds(2))
        }
        try? FileManager.default.removeItem(atPath: main)
    }

    // MARK: The daemon's life

    /// The running daemon's file system.
    var core: BackupFileSystem { running.core }

    /// The running daemon's way to backup.
    var store: FaultyStore { running.store }

    private var running: Daemon {
        guard let running = daemon.withLock({ $0 }) else { preconditionFailure("no daemon is running") }
        return running
    }

    /// Opens MAIN, claims the prefix and starts, as a mount does.
    func mount(afterPowerLoss: Bool = false, afterDiskLoss: Bool = false) async throws {
        try await openUnstarted()
        try await core.claimPrefix(deadline: .now + .seconds(120))
        try start(afterPowerLoss: afterPowerLoss, afterDiskLoss: afterDiskLoss)
    }

    /// Opens MAIN and its catalogue, and does no more; `faults` are there before the first request.
    func openUnstarted(faults: (FaultyStore) -> Void = { _ in }) async throws {
        let store = FaultyStore(memory)
        faults(store)
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let core = try BackupFileSystem(main: try await lockedMain(), store: store, settings: settings, logger: silent)
        daemon.withLock { $0 = Daemon(core: core, store: store) }
    }

    /// A daemon that has just stopped lets go of its lock when the last of its tasks is gone.
    func lockedMain() async throws -> MainStorage {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            do throws(MainStorage.OpenFailure) {
                return try MainStorage(path: main)
            } catch {
                guard case .inUse = error, ContinuousClock.now < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Repairs, adopts, and starts the background.
    ///
    /// `afterPowerLoss`: the machine was booted since. `afterDiskLoss`: it was not, and main's disk went and came back.
    func start(afterPowerLoss: Bool = false, afterDiskLoss: Bool = false) throws {
        for (key, isOther) in [(Setting.boot, afterPowerLoss), (Setting.mount, afterDiskLoss)] where isOther {
            try core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in try writer.set(key, to: "another")
            }
        }
        try core.start()
    }

    /// Unmounts.
    func stop(timeout: Duration = .seconds(120)) async {
        guard let last = daemon.withLock({ $0.take() }) else { return }
        await last.core.shutdown(timeout: timeout)
    }

    /// Mounts after a power loss that has brought back what was deleted under `path`: as the disk had it before.
    func mountAsOld(_ path: String) async throws {
        try await openUnstarted()
        // A rename of the test has changed its time; on a disk that lost the deletion it would be the old one.
        let changed = currentTime()
        try core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.run("UPDATE resource SET deleted_at = ? WHERE deleted_at IS NOT NULL", [changed])
        }
        try await core.claimPrefix(deadline: .now + .seconds(120))
        try start(afterPowerLoss: true)
    }

    /// Unmounts and mounts again.
    func restart() async throws {
        await stop()
        try await mount()
    }

    /// Kills the daemon: what is committed stays, and nothing is committed any more.
    func crash() async throws {
        guard let dead = daemon.withLock({ $0.take() }) else { return }
        _ = await dead.core.lifecycle.scheduler.stop(until: .now)
        try dead.core.catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.run("PRAGMA query_only = ON", [])
        }
        // The kernel frees the locks of a dead process. This process lives on, so the next daemon gets another file.
        unlink(main + "/.backupfs/lock")
    }

    // MARK: Waiting

    /// Waits until `condition` holds.
    func eventually(
        _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline, "never: \(what)", sourceLocation: sourceLocation)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until the background has nothing to upload, nothing to remove, and nothing is left over.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try commitRecords()
        try await eventually("nothing is left to do", sourceLocation: sourceLocation) {
            core.catalogue.work.wake()
            let status = try await core.operatorDesk.status()
            return status.pending.uploads == 0 && status.pending.removals == 0 && status.leftovers == 0
        }
    }

    /// Waits until every step that was recorded so far is committed.
    func commitRecords() throws { try core.catalogue.change(.processCrash) { (_) throws(CatalogueError) in } }
}

extension CatalogueClient {
    /// The catalogue's own transactions, for what no change of its is made to do.
    func change<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) throws -> Value {
        try #require(catalogue as? SQLiteCatalogue).change(durability, body)
    }

    /// A snapshot of the catalogue's own.
    func read<Value>(_ body: (CatalogueReader) throws(CatalogueError) -> Value) throws -> Value {
        try #require(catalogue as? SQLiteCatalogue).read(body)
    }
}
