// The parts of the core on one main directory and one store, each as its `init` wants it, without the file system that puts
// them together and without a background: what a part promises by itself is tested with it.

import Foundation
import Glibc
import Linux
import Logging
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

/// One MAIN, one catalogue in it, one store with faults in front, and what works on them.
final class Workbench: Sendable {
    let path: String
    let memory: MemoryStore
    let store: FaultyStore
    let settings: FileSystemSettings
    let main: MainStorage
    let catalogue: CatalogueClient
    let counters = Counters()
    let tree: MainTree
    let files = FileTable()
    let health: StoreHealth
    let claim: PrefixClaim
    let intents: IntentKeeper
    let recoverer: Recoverer
    let uploader: Uploader
    let remover: Remover
    let journal: JournalShipper
    let compactor: JournalCompactor
    let repairer: Repairer
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private init(_ path: String, _ memory: MemoryStore) throws {
        self.path = path
        self.memory = memory
        store = FaultyStore(memory)
        settings = FileSystemSettings(closeTimeout: .seconds(120), minimumRate: 1 << 30)
        main = try MainStorage(path: path)
        catalogue = CatalogueClient(
            try SQLiteCatalogue(directory: main.privateDirectory.number), work: WorkSignal(), counters: counters,
            logger: logger)
        try Lifecycle.establish(catalogue, main)
        tree = MainTree(main: main, catalogue: catalogue, counters: counters, logger: logger)
        health = StoreHealth(store: store, catalogue: catalogue)
        claim = PrefixClaim(catalogue: catalogue, store: store, health: health, logger: logger)
        intents = IntentKeeper(tree: tree, files: files, catalogue: catalogue, logger: logger)
        let storages = Storages(
            settings: settings, catalogue: catalogue, tree: tree, files: files, store: store, health: health)
        recoverer = Recoverer(storages: storages, claim: claim, counters: counters, logger: logger)
        uploader = Uploader(
            storages: storages, claim: claim,
            early: EarlyUploads(storages: storages, claim: claim, logger: logger), recoverer: recoverer,
            counters: counters, logger: logger)
        remover = Remover(storages: storages, claim: claim, intents: intents, counters: counters, logger: logger)
        journal = JournalShipper(
            settings: settings, catalogue: catalogue, segments: SegmentStore(store, main), health: health,
            claim: claim, counters: counters, logger: logger)
        compactor = JournalCompactor(
            journal: journal, settings: settings, catalogue: catalogue, counters: counters, logger: logger)
        let adopter = Adopter(tree: tree, catalogue: catalogue, logger: logger)
        repairer = Repairer(
            tree: tree, catalogue: catalogue, adopter: adopter,
            aside: AsideKeeper(tree: tree, catalogue: catalogue, adopter: adopter), logger: logger)
    }

    /// Runs `body` on new parts, and takes everything away at the end; the prefix is theirs if `isClaimed`.
    static func run(
        isClaimed: Bool = true, memory: MemoryStore = MemoryStore(), _ body: (Workbench) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let bench = try Workbench(directory.path, memory)
        defer { try? bench.catalogue.close() }
        if isClaimed { try await bench.claim.claim(deadline: .farAway) }
        try await body(bench)
    }

    // MARK: The catalogue

    /// The row that a resource has now, after all that was recorded before.
    func row(_ id: ResourceID) throws -> Resource {
        try commitRecords()
        return try catalogue.row(id)
    }

    /// Waits until every step that was recorded so far is committed.
    func commitRecords() throws { try catalogue.change(.processCrash, .finish([])) }

    /// The time at which a resource is due; nil if it is not within the next year.
    func due(_ id: ResourceID) throws -> Nanoseconds? {
        try commitRecords()
        return try catalogue.read { reader throws(CatalogueError) in
            try reader.row("SELECT due FROM resource WHERE id = ?", [id.rawValue])?[0]
        }
    }

    /// Write.1, and no more.
    func makeRow(
        _ name: String, _ kind: Resource.Kind = .file, in parent: ResourceID = .root
    ) throws -> Resource {
        try catalogue.change(
            .processCrash, .create(kind, Dentry(parent, Array(name.utf8)), anybody, lists: [], now: currentTime())
        )
    }

    /// Delete.1 and Delete.2, and no more.
    @discardableResult
    func deleteRow(
        _ name: String, in parent: ResourceID = .root, directory: Bool = false
    ) throws -> Deleted {
        try catalogue.change(
            .powerLoss, .delete(Dentry(parent, Array(name.utf8)), directory: directory, now: currentTime()))
    }

    /// A directory: its row, and itself in main.
    func makeDirectory(_ name: String, in parent: ResourceID = .root) throws -> ResourceID {
        let row = try makeRow(name, .directory, in: parent)
        try tree.createDirectory(try tree.entry(Dentry(parent, Array(name.utf8))), row)
        try catalogue.change(.processCrash, .markInMain(row.id, inode: try inode(name, in: parent)))
        return row.id
    }

    // MARK: Files

    /// Write.1 to Write.3: a file that a program has made and written to, and that no close has backed up.
    ///
    /// It is in use; `release` must follow.
    func newFile(_ name: String, _ bytes: [UInt8], in parent: ResourceID = .root) throws -> FileState {
        let row = try makeRow(name, in: parent)
        let copy = try tree.createFile(try tree.entry(Dentry(parent, Array(name.utf8))), row)
        try catalogue.change(.processCrash, .markInMain(row.id, inode: UInt64(try copy.status().st_ino)))
        let file = files.acquire(row.id)
        file.load(try catalogue.row(row.id))
        file.content { $0.created(copy) }
        try write(file, bytes)
        return file
    }

    /// What a write does to an open main copy.
    func write(_ file: FileState, _ bytes: [UInt8]) throws {
        let copy = try #require(file.descriptor)
        _ = file.content { $0.writeBegins() }
        try catalogue.change(.processCrash, .markAhead(file.id))
        file.content { $0.marked() }
        #expect(pwrite(copy.number, bytes, bytes.count, 0) == bytes.count)
        #expect(ftruncate(copy.number, off_t(bytes.count)) == 0)
        file.content { $0.writeEnded() }
    }

    /// A file that main and backup have, and that nobody uses.
    func storedFile(_ name: String, _ bytes: [UInt8], in parent: ResourceID = .root) async throws -> Resource {
        let file = try newFile(name, bytes, in: parent)
        try await uploader.backUp(file, deadline: .farAway)
        files.release(file)
        return try row(file.id)
    }

    /// A file that backup has and main has lost, in use.
    func lostFile(_ name: String, _ bytes: [UInt8]) async throws -> FileState {
        let row = try await storedFile(name, bytes)
        unlink(path + "/" + name)
        try catalogue.change(.processCrash, .markNotInMain(row))
        return try use(row.id)
    }

    /// The file's state with what the row says; `release` must follow.
    func use(_ id: ResourceID) throws -> FileState {
        let file = files.acquire(id)
        file.load(try row(id))
        return file
    }

    // MARK: Looking

    /// The inode number of what main has under a name; 0 if it has nothing there.
    func inode(_ name: String, in parent: ResourceID = .root) throws -> UInt64 {
        try main.inode(try tree.entry(Dentry(parent, Array(name.utf8))))
    }

    /// What main holds under a path; nil if nothing.
    func mainBytes(_ name: String) -> [UInt8]? {
        (try? Data(contentsOf: URL(filePath: path + "/" + name))).map(Array.init)
    }

    /// The keys of files' contents in backup.
    var objects: [String] { memory.keys.filter { !$0.hasPrefix(".backupfs/") } }

    /// The keys of the journal's segments in backup.
    var segments: [String] { memory.keys.filter { $0.hasPrefix(JournalKey.prefix) } }

    /// The journal that is in backup.
    func history() async throws -> JournalHistory {
        let reader = JournalReader(segments: SegmentStore(memory, main), patience: .seconds(60))
        return try #require(try await reader.history())
    }

    /// Keys of files' contents that were put, oldest first, each as often as it was put.
    var puts: [String] {
        memory.requests.filter { $0.method == .put && !$0.key.hasPrefix(".backupfs/") }.map(\.key)
    }

    /// The key of the version that a row names.
    func key(_ row: Resource) throws -> String { try #require(try catalogue.storedVersion(of: row)).key }
}

extension ContinuousClock.Instant {
    /// Later than any test takes.
    static var farAway: Self { .now + .seconds(600) }
    /// A caller with this deadline only finds out whether it would have to wait.
    static var atOnce: Self { .now }
}
