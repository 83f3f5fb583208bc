// The second half of the delete scenario: Delete.3 to Delete.6. Nothing here can fail the delete: what is not removed
// stays recorded and is tried again. A removal takes only what is the deleted resource's own: the object is named by its
// version, the main copy by its name as long as no live resource has that name.

import Catalogue
import Glibc
import Logging
import ObjectStorage
import Synchronization

/// Removes what was deleted from both storages.
final class Remover: StorageStep {
    let storages: Storages
    private let claim: PrefixClaim
    let intents: IntentKeeper
    private let counters: Counters
    private let logger: Logger
    /// Deleted files that main does not have any more, and whose rows do not say so yet.
    private let gone = Mutex<Set<ResourceID>>([])

    init(
        storages: Storages, claim: PrefixClaim, intents: IntentKeeper, counters: Counters, logger: Logger
    ) {
        self.storages = storages
        self.claim = claim
        self.intents = intents
        self.counters = counters
        self.logger = logger
    }

    /// Delete.3, and Delete.4 of what is no file.
    ///
    /// The caller holds the tree lock and the directory's lock. `intent` says that the resource lives on under another name.
    func removeFromMain(_ row: Resource, _ dentry: Dentry, intent: Int64? = nil) {
        do throws(FileSystemError) {
            let live = try catalogue.lookup(dentry)
            // A live resource of that name has taken the place in main, and what it replaced is gone.
            if live == nil {
                let entry = try tree.entry(dentry)
                do throws(FileSystemError) {
                    try reach("unlink.begun")
                    _ = try main.remove(entry, isDirectory: row.kind == .directory)
                } catch .main(errno: let code, _) where [ENOTEMPTY, EEXIST, EISDIR, ENOTDIR].contains(code) {
                    // The catalogue knows of nothing in it: what is there was put behind the mount, and is kept.
                    try tree.clearTheWay(entry)
                }
            }
            pass("unlink.main")
            if let intent { return intents.noteFollowed(.name(intent)) }
            noteGone(row)
        } catch .catalogue(.noSuchResource) {
            // The directory itself was deleted since: main has nothing of it any more.
            if intent == nil { gone.withLock { _ = $0.insert(row.id) } }
        } catch {
            counters.add(\.removalsFailed)
            logger.error(
                "a deleted file could not be removed from main",
                metadata: ["inode": "\(row.id.rawValue)", "error": "\(error)"])
            // The next start tries again to remove one of several names.
            guard intent == nil else { return }
            catalogue.record(
                "Delete.5",
                .noteDeleteFailure(row.id, error: "\(error)", now: currentTime()) { RetryDelay.next(attempts: $0) })
        }
    }

    /// A file's row is told with the handing over of its versions, many in one transaction; nothing else is left to do for
    /// anything else.
    private func noteGone(_ row: Resource) {
        guard row.kind == .file else {
            return catalogue.record("Delete.4", .markDeletedNotInMain(row.id, isDone: true))
        }
        gone.withLock { _ = $0.insert(row.id) }
    }

    /// What deleted resources still need: their main copies removed, their versions handed to the removal of versions, all in
    /// one transaction.
    func finishDeletes(_ rows: [Resource]) async {
        var ready: [Resource] = []
        var early: [ResourceID] = []
        for row in rows {
            // A program still reads it, and may need backup for that; or a rename deleted it, and main may refuse that: then
            // it lives again.
            let mayLive = files.peek(row.id) != nil || (try? catalogue.isBeingReplaced(row.id)) != false
            if mayLive { early.append(row.id) } else { ready.append(row) }
        }
        for row in ready where row.inMain && !gone.withLock({ $0.contains(row.id) }) {
            let location = try? catalogue.deletedLocation(of: row.id)
            guard let location else {
                early.append(row.id)
                continue
            }
            tree.lock.shared {
                tree.directories.with(location.parent) {
                    removeFromMain(row, Dentry(location.parent, location.name))
                }
            }
        }
        pass("remove.main")
        if !early.isEmpty {
            catalogue.record("Delete.3", .postpone(early, until: currentTime() + 1_000_000_000))
        }
        await handOver(ready.map(\.id).filter { !early.contains($0) })
    }

    private func handOver(_ ids: [ResourceID]) async {
        guard !ids.isEmpty else { return }
        let gone = gone.withLock { gone in
            let known = gone.intersection(ids)
            gone.subtract(known)
            return known
        }
        do throws(FileSystemError) {
            try await catalogue.changeLater(.processCrash, .handOverVersions(of: ids, gone: gone, now: currentTime()))
            catalogue.work.wake()
        } catch {
            self.gone.withLock { $0.formUnion(gone) }
            counters.add(\.catalogueFailures)
            logger.error(
                "the catalogue could not record that files are gone from main", metadata: ["error": "\(error)"])
        }
    }

    /// Delete.5 and Delete.6 for versions that are superseded or deleted; false if one of them is still there.
    @discardableResult
    func removeVersions(_ items: [(version: Version, attempts: Int)]) async -> Bool {
        guard !items.isEmpty else { return true }
        // That they are not wanted must outlast a power cut, or the next start would miss them.
        do throws(FileSystemError) {
            try await catalogue.becomesDurable()
        } catch {
            counters.add(\.catalogueFailures)
            logger.error("nothing is removed from backup", metadata: ["error": "\(error)"])
            return false
        }
        // The journal has told it, and a later owner would have read that: so only what nobody needs goes.
        do throws(FileSystemError) {
            try await claim.confirmOwner(deadline: settings.deadline(size: 0))
        } catch {
            await noteRemovalFailures(items) { _ in error }
            return false
        }
        var failures: [String: ObjectStoreError] = [:]
        do throws(ObjectStoreError) {
            failures = try await store.delete(items.map(\.version.key), deadline: settings.deadline(size: 0))
        } catch {
            for item in items { failures[item.version.key] = error }
        }
        if failures.count < items.count {
            health.note(nil)
        } else if let error = failures.values.first(where: \.meansUnreachable) {
            health.note(error)
        }
        var isDone = await forget(items.filter { failures[$0.version.key] == nil })
        let reasons = failures
        let failed = items.filter { reasons[$0.version.key] != nil }
        if !failed.isEmpty { isDone = false }
        for start in stride(from: 0, to: failed.count, by: StoreHealth.rowsAtOnce) {
            await noteRemovalFailures(Array(failed[start..<min(failed.count, start + StoreHealth.rowsAtOnce)])) {
                item in
                reasons[item.version.key].map { .backup($0) } ?? .backupTimedOut
            }
        }
        return isDone
    }

    /// Their objects are gone: the rows go, too.
    private func forget(_ items: [(version: Version, attempts: Int)]) async -> Bool {
        guard !items.isEmpty else { return true }
        do throws(FileSystemError) {
            try reach("remove.object")
            // Some at a time: closes wait for the same writer.
            for start in stride(from: 0, to: items.count, by: StoreHealth.rowsAtOnce) {
                let some = items[start..<min(items.count, start + StoreHealth.rowsAtOnce)]
                try await catalogue.changeLater(.processCrash, .forget(some.map(\.version.id)))
            }
            return true
        } catch {
            await noteRemovalFailures(items) { _ in error }
            return false
        }
    }

    private func noteRemovalFailures(
        _ items: [(version: Version, attempts: Int)],
        _ error: @Sendable ((version: Version, attempts: Int)) -> FileSystemError
    ) async {
        let now = currentTime()
        let isReachable = health.isReachable
        let failures = items.map { item in
            let reason = error(item)
            // A store that is down is asked again when it is back; one that refuses will do so in a second, too.
            let delay =
                isReachable && reason.isRefusal
                ? RetryDelay.afterRefusal(attempts: item.attempts) : health.delay(attempts: item.attempts)
            return RemovalFailure(version: item.version, error: "\(reason)", next: now + delay)
        }
        for failure in failures {
            counters.add(\.removalsFailed)
            logger.warning(
                "an object could not be removed from backup",
                metadata: ["key": "\(failure.version.key)", "error": "\(failure.error)"])
        }
        do throws(FileSystemError) {
            try await catalogue.changeLater(.processCrash, .noteRemovalFailures(failures, now: now))
        } catch {
            counters.add(\.catalogueFailures)
            logger.error("the catalogue could not record a failure", metadata: ["error": "\(error)"])
        }
    }
}

extension FileSystemError {
    /// Whether backup storage has answered, and said no.
    fileprivate var isRefusal: Bool {
        switch self {
        case .backup(.denied), .backup(.rejected): true
        default: false
        }
    }
}
