// What is known in memory of a file that is open, being uploaded or being recovered. One object a file, shared by all
// its handles, so that every handle sees one descriptor and one count of changes.
//
// Changes are counted, not flagged. An upload notes the count, reads the content, and covers just that count; a write
// counts before and after it touches the file. So a write that overlaps an upload is never taken for backed up.

import Catalogue
import Glibc
import Linux
import Synchronization

/// One open file (or one that background work holds).
package final class FileState: Sendable {
    /// The resource it is.
    package let id: ResourceID

    struct State {
        /// The row was looked at while this object was in use: `changes` and `isMarked` say what it said.
        var isLoaded = false
        /// The main copy; nil while main does not have it, or nobody has needed it yet.
        var descriptor: Descriptor?
        /// The main copy's content is known to be what the row says, or is ahead of it.
        var isVerified = false
        /// How the main copy looked when its content was last known to be the row's; the row says so a little later.
        var seen: CatalogueWriter.MainCopy?
        /// The main copy's name in its directory may not be on the disk yet (a creation or recovery of a moment ago).
        var isNameNew = true
        /// Handles that may write.
        var writers = 0
        /// Grows with every change of the content.
        var changes: UInt64 = 0
        /// The count that the last committed upload covered.
        var backedUp: UInt64 = 0
        /// The row says that backup has a version.
        var isInBackup = false
        /// The row says that an upload is needed.
        var isMarked = false
        /// How often the row was given that mark, and the last of them that a power cut cannot take.
        var marks: UInt64 = 0
        var safeMark: UInt64 = 0
        /// The main copy's content was compared with the checksum, or written, in this state's life: no bit of it has rotten
        /// since it was backed up.
        var isCompared = false
        /// A fsync of main failed: its page cache and its disk differ for ever (I13).
        var mainLostData = false
        var upload: SharedWork?
        var recovery: SharedWork?
        var verification: SharedWork?

        var hasMainCopy: Bool { descriptor != nil }
        var needsNoVerification: Bool { descriptor == nil || isVerified || changes > backedUp }
        /// The row says, and a power cut cannot make it unsaid, that main is ahead of backup.
        var isSafelyMarked: Bool { isMarked && safeMark >= marks }
        /// A first change would put its upload in the place of the last good version, rotten bytes with it.
        var mustCompare: Bool { descriptor != nil && isInBackup && !isCompared && changes == backedUp }
        var needsNoComparison: Bool { !mustCompare }
    }

    let state = Mutex(State())
    /// Writes share it; a snapshot of a file that never rests takes it alone.
    let contentGate = ReadersWriterLock()

    init(_ id: ResourceID) { self.id = id }

    /// Takes what the row says of pending uploads, once; the row must have been read while this object was in use.
    func load(_ row: Resource) {
        state.withLock { state in
            guard !state.isLoaded else { return }
            state.isLoaded = true
            if row.needsUpload || row.status == .creating { state.changes += 1 }
            state.isMarked = row.needsUpload
            state.isInBackup = row.inBackup
        }
    }

    /// Keeps an opened main copy unless there is one already.
    ///
    /// `isCompared`: its bytes were written or compared with the checksum just now.
    func offer(_ descriptor: Descriptor, isVerified: Bool, isCompared: Bool = false) {
        state.withLock { state in
            guard state.descriptor == nil else { return }
            state.descriptor = descriptor
            state.isVerified = isVerified
            state.isCompared = isCompared
        }
    }

    /// Has the open main copy verified again if nobody in the mount changed it and yet it is not what `row` describes.
    func doubt(_ row: Resource) {
        state.withLock { state in
            guard state.isVerified, state.changes == state.backedUp, let descriptor = state.descriptor,
                let status = try? descriptor.status(), !row.describes(status), state.seen != .init(status)
            else { return }
            state.isVerified = false
            state.isCompared = false
        }
    }

    /// The open main copy; nil while it has to be recovered first.
    package var descriptor: Descriptor? { state.withLock { $0.descriptor } }

    /// The open main copy if its content is known to be the file's.
    var verifiedDescriptor: Descriptor? {
        state.withLock { $0.isVerified || $0.changes > $0.backedUp ? $0.descriptor : nil }
    }

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
