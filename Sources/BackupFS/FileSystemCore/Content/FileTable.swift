// The files in use, and the work that is under way on them.

import Catalogue
import Linux
import Synchronization

/// The files in memory, each as long as somebody uses it.
final class FileTable: Sendable {
    private struct Entry {
        var file: FileState
        var users: Int
    }

    /// Guards the table only.
    private let entries = Mutex<[ResourceID: Entry]>([:])

    /// The file's state, shared by all its users; `release` must follow.
    func acquire(_ id: ResourceID) -> FileState {
        entries.withLock { entries in
            let file = entries[id]?.file ?? FileState(id)
            entries[id, default: Entry(file: file, users: 0)].users += 1
            return file
        }
    }

    /// Whether the file is in use, or fewer than `most` files are.
    func hasRoom(for id: ResourceID?, most: Int) -> Bool {
        entries.withLock { entries in entries.count < most || id.map { entries[$0] != nil } ?? false }
    }

    /// The file's state if it is in use, just to look at.
    func peek(_ id: ResourceID) -> FileState? { entries.withLock { $0[id]?.file } }

    /// One user less; true if it was the last.
    @discardableResult
    func release(_ file: FileState) -> Bool {
        let isLast = entries.withLock { entries in
            guard var entry = entries[file.id] else { return true }
            entry.users -= 1
            if entry.users == 0 {
                entries[file.id] = nil
                return true
            }
            entries[file.id] = entry
            return false
        }
        // No close will come that takes it.
        if isLast { file.watch(nil)?.abandon() }
        return isLast
    }

    /// Does `work` on a file once for all who ask for it at the same time, and not at all if `isDone`.
    ///
    /// The file stays in use until the work ends. Throws `.backupTimedOut` to a caller whose deadline comes first.
    func once(
        _ file: FileState, _ kind: FileState.Work, unless isDone: (Content<Descriptor>) -> Bool,
        deadline: ContinuousClock.Instant,
        _ work: @escaping @Sendable () async throws(FileSystemError) -> Void
    ) async throws(FileSystemError) {
        guard let (shared, mustStart) = file.join(kind, unless: isDone) else { return }
        if mustStart {
            _ = acquire(file.id)
            Task(executorPreference: BlockingExecutor.shared) { [self] in
                let outcome: SharedWork.Outcome
                do throws(FileSystemError) { outcome = .success(try await work()) } catch { outcome = .failure(error) }
                file.ended(kind)
                release(file)
                shared.finish(outcome)
            }
        }
        guard let outcome = await shared.wait(until: deadline) else { throw .backupTimedOut }
        try outcome.get()
    }

    // MARK: Passthrough

    /// Who registers main copies with the kernel; nil if nobody does.
    private let registrar = Mutex<(any BackingFiles)?>(nil)

    /// Has main copies registered by `backing` from now on.
    func passThrough(by backing: (any BackingFiles)?) { registrar.withLock { $0 = backing } }

    /// Who registers main copies with the kernel; nil if nobody does.
    var backing: (any BackingFiles)? { registrar.withLock { $0 } }

    // MARK: Notices

    /// Whom to tell when the file system itself has changed what a file holds: what the kernel remembers of it is wrong.
    private let onContentChange = Mutex<(@Sendable (ResourceID) -> Void)?>(nil)

    /// Has `receive` told of such changes from now on.
    func whenContentChanges(_ receive: (@Sendable (ResourceID) -> Void)?) { onContentChange.withLock { $0 = receive } }

    /// The file system itself has changed what a file holds.
    func contentChanged(_ id: ResourceID) { onContentChange.withLock { $0 }?(id) }
}
