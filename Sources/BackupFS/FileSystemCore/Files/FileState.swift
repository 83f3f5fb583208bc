// What is known in memory of a file that is open, being uploaded or being recovered. One object a file, shared by all
// its handles, so that every handle sees one descriptor and one count of changes.
//
// Changes are counted, not flagged. An upload notes the count, reads the content, and covers just that count; a write
// counts before and after it touches the file. So a write that overlaps an upload is never taken for backed up.

import Catalogue
import Synchronization

/// One open file (or one that background work holds).
package final class FileState: Sendable {
    /// The resource it is.
    package let id: ResourceID

    struct State {
        /// The main copy; nil while main does not have it.
        var descriptor: Descriptor?
        /// Handles that may write.
        var writers = 0
        /// Grows with every change of the content.
        var changes: UInt64
        /// The count that the last committed upload covered.
        var backedUp: UInt64 = 0
        /// The row says that an upload is needed.
        var isMarked: Bool
        /// A fsync of main failed: its page cache and its disk differ for ever (I13).
        var mainLostData = false
        /// Whether a write must look for file capabilities: none are known until one is set.
        var upload: SharedWork?
        var recovery: SharedWork?
    }

    let state: Mutex<State>
    /// Writes share it; a snapshot of a file that never rests takes it alone.
    let contentGate = ReadersWriterLock()

    init(_ row: Resource, descriptor: Descriptor?) {
        id = row.id
        state = Mutex(
            State(
                descriptor: descriptor, changes: row.needsUpload || row.status == .creating ? 1 : 0,
                isMarked: row.needsUpload))
    }

    /// The open main copy; nil while it has to be recovered first.
    package var descriptor: Descriptor? { state.withLock { $0.descriptor } }

    var needsUpload: Bool { state.withLock { $0.changes > $0.backedUp } }
}

/// The files in memory, each as long as somebody uses it.
final class FileTable: Sendable {
    private struct Entry {
        var file: FileState
        var users: Int
    }

    /// Guards the table only.
    private let entries = Mutex<[ResourceID: Entry]>([:])

    /// The file's state, made by `make` if nobody uses it yet; `release` must follow.
    func acquire(_ id: ResourceID, make: () -> FileState) -> FileState {
        entries.withLock { entries in
            if var entry = entries[id] {
                entry.users += 1
                entries[id] = entry
                return entry.file
            }
            let file = make()
            entries[id] = Entry(file: file, users: 1)
            return file
        }
    }

    /// The file's state if it is in use; `release` must follow.
    func acquireIfUsed(_ id: ResourceID) -> FileState? {
        entries.withLock { entries in
            guard var entry = entries[id] else { return nil }
            entry.users += 1
            entries[id] = entry
            return entry.file
        }
    }

    /// The file's state if it is in use, just to look at.
    func peek(_ id: ResourceID) -> FileState? { entries.withLock { $0[id]?.file } }

    /// One user less; true if it was the last.
    @discardableResult
    func release(_ file: FileState) -> Bool {
        entries.withLock { entries in
            guard var entry = entries[file.id] else { return true }
            entry.users -= 1
            if entry.users == 0 {
                entries[file.id] = nil
                return true
            }
            entries[file.id] = entry
            return false
        }
    }
}

/// One open of a file.
package final class FileHandle: Sendable {
    /// The file it is open on.
    package let file: FileState
    /// Whether it was opened for writing.
    package let isWritable: Bool

    init(file: FileState, isWritable: Bool) {
        self.file = file
        self.isWritable = isWritable
    }
}
