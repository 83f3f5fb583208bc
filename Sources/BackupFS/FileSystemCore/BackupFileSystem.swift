// The file system: plain Swift, tested without a mount. FuseBinding translates each kernel request into one call here.
// What memory, SQLite or the local disk answers is an ordinary function and runs on the caller's thread; what may have
// to wait for backup storage is `async`.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage
import Synchronization

/// One mounted main directory with its catalogue and backup storage.
package final class BackupFileSystem: Sendable {
    /// What an operator can set.
    package struct Settings: Sendable {
        /// How long a close may wait for the bucket, whatever its size.
        package var closeTimeout: Duration
        /// Bytes a second that a large file's backup may count on: a close waits that much longer.
        package var minimumRate: Int64
        /// Uploads and removals that the background does at once.
        package var backgroundTransfers: Int
        /// What a close does while backup storage is down.
        package var whenDown: WhenDown
        /// Files that may be open at once; more are ENFILE.
        package var mostOpenFiles: Int
        /// How long after one comparison of the bucket with the catalogue began the next one begins.
        package var scrubInterval: Duration

        package init(
            closeTimeout: Duration = .seconds(60), minimumRate: Int64 = 1 << 20, backgroundTransfers: Int = 8,
            whenDown: WhenDown = .waitForTimeout, mostOpenFiles: Int = .max,
            scrubInterval: Duration = .seconds(3 * 86_400)
        ) {
            self.closeTimeout = closeTimeout
            self.minimumRate = minimumRate
            self.backgroundTransfers = backgroundTransfers
            self.whenDown = whenDown
            self.mostOpenFiles = mostOpenFiles
            self.scrubInterval = scrubInterval
        }
    }

    /// What calls that need backup storage do while it is down.
    package enum WhenDown: Sendable {
        /// They wait for `closeTimeout`, then fail.
        case waitForTimeout
        /// Once a call has waited in vain, closes fail at once until the background finds that it is back.
        case fail
        /// They wait until it is back, however long that takes.
        case wait
    }

    /// Ten years: longer than a machine is up, and no clock's arithmetic overflows.
    static let forEver = Duration.seconds(315_360_000)

    let settings: Settings
    let main: MainStorage
    let catalogue: ResourceCatalogue
    let store: any ObjectStore
    let logger: Logger
    let files = FileTable()
    /// Shared by every change that resolves a path in main; alone for the rename of a directory.
    let tree = ReadersWriterLock()
    let directories = DirectoryLocks()
    let counters = Counters()
    let background: BackgroundWorker
    /// Removals of objects.
    let removal = BackgroundWorker(transfers: 1)
    /// The journal.
    let upkeep = BackgroundWorker(transfers: 1)
    /// What main needs about once a second.
    let mainUpkeep = BackgroundWorker(transfers: 1)
    /// The comparison of the bucket with the catalogue.
    let scrub = BackgroundWorker(transfers: 1)
    /// What the background works on.
    let slots = BackgroundSlots()
    /// Intents that main has followed, and whose directories are not known to be on the disk yet.
    let followed = Mutex<[FollowedIntent]>([])
    let ownership: PrefixOwnership
    /// The journal segment that is on its way.
    let journal = Mutex<SharedWork?>(nil)
    /// Told when the file system itself has changed what a file holds: what the kernel remembers of it is wrong.
    package let onContentChange = Mutex<(@Sendable (ResourceID) -> Void)?>(nil)
    /// How many files main held at the first mount, once somebody has asked.
    let adoptedFiles = Mutex<Int?>(nil)
    /// Where it is mounted, once it is.
    package let mountPoint = Mutex<String?>(nil)

    /// Opens the catalogue in `main`; `start` must follow.
    package init(
        main: MainStorage, store: any ObjectStore, settings: Settings, logger: Logger
    ) throws(FileSystemError) {
        self.main = main
        self.store = store
        self.settings = settings
        self.logger = logger
        do throws(CatalogueError) {
            catalogue = try ResourceCatalogue(directory: main.privateDirectory.number)
        } catch {
            throw .catalogue(error)
        }
        background = BackgroundWorker(transfers: settings.backgroundTransfers)
        ownership = PrefixOwnership()
        try establish()
        store.use(UploadRecord(catalogue: catalogue, logger: logger))
    }

    /// When a call on a file of `size` bytes that waits for backup storage gives up.
    func deadline(size: Int64) -> ContinuousClock.Instant {
        if settings.whenDown == .wait { return .now + Self.forEver }
        return .now + settings.closeTimeout + .milliseconds(size / max(1, settings.minimumRate / 1000))
    }

    // MARK: Catalogue errors as ours

    func read<Value>(_ body: (CatalogueReader) throws(CatalogueError) -> Value) throws(FileSystemError) -> Value {
        do throws(CatalogueError) { return try catalogue.read(body) } catch { throw .catalogue(error) }
    }

    func change<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) throws(FileSystemError) -> Value {
        do throws(CatalogueError) { return try catalogue.change(durability, body) } catch { throw .catalogue(error) }
    }

    func changeLater<Value: Sendable>(
        _ durability: Durability, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Value
    ) async throws(FileSystemError) -> Value {
        do throws(CatalogueError) {
            return try await catalogue.changeLater(durability, body)
        } catch {
            throw .catalogue(error)
        }
    }

    /// Returns when all that the catalogue has committed so far survives a power loss.
    func catalogueBecomesDurable() async throws(FileSystemError) {
        do throws(CatalogueError) { try await catalogue.becomeDurable() } catch { throw .catalogue(error) }
    }

    /// Notes a fact that the next start would find out by itself; a failure is logged.
    ///
    /// `patiently`: nobody asks for it soon, so it may wait for the next change.
    func record(
        _ what: String, patiently: Bool = false,
        _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Void
    ) {
        catalogue.record(patiently: patiently, body) { [self] error in if let error { noteUnrecorded(what, error) } }
    }

    /// Notes that the background has something to do, and wakes it when that is committed: earlier it would not see it.
    func recordWork(_ what: String, _ body: @escaping @Sendable (CatalogueWriter) throws(CatalogueError) -> Void) {
        catalogue.record(body) { [self] error in
            if let error { noteUnrecorded(what, error) }
            wakeBackground()
        }
    }

    private func noteUnrecorded(_ what: String, _ error: CatalogueError) {
        counters.add(\.catalogueFailures)
        logger.error("the catalogue could not record a step", metadata: ["step": "\(what)", "error": "\(error)"])
    }

    func contentChanged(_ id: ResourceID) { onContentChange.withLock { $0 }?(id) }

    /// The live row, or ENOENT.
    func liveRow(_ id: ResourceID) throws(FileSystemError) -> Resource {
        guard let row = try read({ reader throws(CatalogueError) in try reader.resource(id) }) else {
            throw .catalogue(.noSuchResource)
        }
        return row
    }

    /// Runs `body` on the directory and name that a resource has in main, with its names held still.
    ///
    /// nil if the resource has no name (any more). Takes the tree lock shared and the directory's lock.
    func atLocation<Value>(
        of id: ResourceID, _ body: (Descriptor, [UInt8]) throws(FileSystemError) -> Value
    ) throws(FileSystemError) -> Value? {
        try tree.shared { () throws(FileSystemError) in
            while true {
                guard let seen = try location(of: id) else { return nil }
                let result = try directories.with(seen.parent) { () throws(FileSystemError) -> Value?? in
                    guard let now = try location(of: id) else { return .some(nil) }
                    // Moved to another directory before its lock was ours: once more.
                    guard now.parent == seen.parent else { return nil }
                    return try body(try mainDirectory(now.parent), now.name)
                }
                if let result { return result }
            }
        }
    }

    /// The directory that holds a resource's name, and the name; nil if it has none (any more).
    func location(of id: ResourceID) throws(FileSystemError) -> (parent: ResourceID, name: [UInt8])? {
        try read { reader throws(CatalogueError) in try reader.location(of: id) }
    }

    /// The version in backup that a row names.
    func storedVersion(of row: Resource) throws(FileSystemError) -> Version? {
        guard let id = row.version else { return nil }
        return try read { reader throws(CatalogueError) in try reader.version(id) }
    }

    /// The directory of main that a resource's names are in, made again if somebody removed it behind the mount.
    func mainDirectory(_ id: ResourceID) throws(FileSystemError) -> Descriptor {
        guard let path = try read({ reader throws(CatalogueError) in try reader.path(of: id) }) else {
            throw .catalogue(.noSuchResource)
        }
        do throws(FileSystemError) {
            return try main.openDirectory(path)
        } catch .main(errno: ENOENT, _) {
            return try makeMissingDirectories(path)
        }
    }

    private func makeMissingDirectories(_ path: [[UInt8]]) throws(FileSystemError) -> Descriptor {
        var directory = main.root
        var id = ResourceID.root
        for name in path {
            let parent = id
            guard let row = try read({ reader throws(CatalogueError) in try reader.lookup(parent: parent, name: name) })
            else { throw .catalogue(.noSuchResource) }
            do throws(FileSystemError) {
                let shown = try forMain(row)
                try main.makeDirectory(directory, name, mode: shown.mode, uid: row.uid, gid: row.gid)
                logger.warning(
                    "a directory was missing in main and was made again", metadata: ["inode": "\(row.id.rawValue)"])
            } catch .main(errno: EEXIST, _) {
                // It is there, or somebody else has just made it.
            }
            directory = try main.openDirectory([name], in: directory)
            id = row.id
        }
        return directory
    }
}

/// Counts since the daemon started.
package final class Counters: Sendable {
    /// The numbers.
    package struct Values: Sendable {
        package var recoveriesDone = 0
        package var recoveriesFailed = 0
        package var uploadsDone = 0
        package var uploadsFailed = 0
        package var removalsFailed = 0
        package var setAside = 0
        package var changesLost = 0
        package var catalogueFailures = 0
        package var journalFailures = 0
    }

    private let values = Mutex(Values())

    func add(_ counter: WritableKeyPath<Values, Int> & Sendable) { values.withLock { $0[keyPath: counter] += 1 } }

    /// The numbers now.
    package var now: Values { values.withLock { $0 } }
}
