// A file that is open, being uploaded or being recovered. One object a file, shared by all its handles, so that every handle
// sees one main copy and one count of changes. What is known of the content is a value (Content.swift) behind one lock; the
// work that is under way on the file lies beside it, because the two are decided on together.

import Catalogue
import Glibc
import Linux
import Synchronization

/// One open file (or one that background work holds).
package final class FileState: Sendable {
    /// Slow work that is done once for all who need it at the same time.
    enum Work: Sendable {
        case upload
        case recovery
        case verification
    }

    /// How often programs have set the file's times; nil while one is just doing so.
    typealias TimeStamp = UInt64?

    private struct State {
        var content = Content<Descriptor>()
        /// Changes of the file's times that have begun and not ended, and those that have ended.
        var times = (underWay: 0, done: UInt64(0))
        /// Whether the file is known to have no capabilities, and how often some were set.
        var capability = (isAbsent: false, changes: UInt64(0))
        var upload: SharedWork?
        var recovery: SharedWork?
        var verification: SharedWork?

        subscript(work: Work) -> SharedWork? {
            get {
                switch work {
                case .upload: upload
                case .recovery: recovery
                case .verification: verification
                }
            }
            set {
                switch work {
                case .upload: upload = newValue
                case .recovery: recovery = newValue
                case .verification: verification = newValue
                }
            }
        }
    }

    /// The resource it is.
    package let id: ResourceID
    /// Guards the content and the work; held for no call out of this file.
    private let state = Mutex(State())
    /// Writes share it; a snapshot of a file that never rests takes it alone.
    let contentGate = ReadersWriterLock()
    /// Guards a reference.
    private let sending = Mutex<EarlyUpload?>(nil)
    /// Guards how the kernel reads and writes through the opens; held while a main copy is registered with the kernel.
    let opens = Mutex(OpenModes<Descriptor>())

    init(_ id: ResourceID) { self.id = id }

    /// Tells the content an event, or asks it; `body` does nothing else.
    func content<Value: Sendable>(_ body: (inout sending Content<Descriptor>) -> sending Value) -> Value {
        state.withLock { body(&$0.content) }
    }

    // MARK: Work

    /// The work that is under way, or new work that the caller has to start; nil if `isDone` says that it is not needed.
    func join(
        _ work: Work, unless isDone: (Content<Descriptor>) -> Bool
    ) -> (work: SharedWork, mustStart: Bool)? {
        state.withLock { state in
            if isDone(state.content) { return nil }
            if let running = state[work] { return (running, false) }
            let new = SharedWork()
            state[work] = new
            return (new, true)
        }
    }

    /// Whether somebody does it now.
    func isUnderWay(_ work: Work) -> Bool { state.withLock { $0[work] != nil } }

    /// The work is over; who comes now begins anew.
    func ended(_ work: Work) { state.withLock { $0[work] = nil } }

    // MARK: Sent before the close

    /// What is sent of the file while it is written; nil if nothing is.
    var early: EarlyUpload? { sending.withLock { $0 } }

    /// Has changes told to `new` from now on; returns who was told them before.
    func watch(_ new: EarlyUpload?) -> EarlyUpload? {
        sending.withLock { early in
            defer { early = new }
            return early
        }
    }

    /// Bytes are about to change, or have just changed: told before and after that.
    func changes(_ range: Range<Int64>) { early?.parts { $0.changes(range) } }

    // MARK: Capabilities

    /// Whether the file is known to have none; else the number that `foundNoCapability` is to be told.
    var capability: (isAbsent: Bool, changes: UInt64) { state.withLock { $0.capability } }

    /// It had none, asked when the number was `changes`.
    func foundNoCapability(at changes: UInt64) {
        state.withLock { state in
            if state.capability.changes == changes { state.capability.isAbsent = true }
        }
    }

    /// They are set: told before and after that.
    func capabilityChanges() {
        state.withLock { $0.capability = (isAbsent: false, changes: $0.capability.changes + 1) }
    }

    // MARK: Times

    /// A program is setting the file's times: first the row has them, then main's copy.
    func timesChange() { state.withLock { $0.times.underWay += 1 } }

    /// Both have them, or main's copy could not get them.
    func timesChanged() {
        state.withLock { state in
            state.times.underWay -= 1
            state.times.done += 1
        }
    }

    /// From before main's time is looked at.
    var timeStamp: TimeStamp { state.withLock { $0.times.underWay == 0 ? $0.times.done : nil } }

    /// Whether what main's time was then may not be what a program has set: the row says it.
    func hasNewTimes(since stamp: TimeStamp) -> Bool { stamp == nil || timeStamp != stamp }

    // MARK: The content

    /// Takes what the row says, once; the row must have been read while this object was in use.
    func load(_ row: Resource) {
        content {
            $0.load(
                isAhead: row.needsUpload || row.status == .creating, isMarked: row.needsUpload,
                isInBackup: row.inBackup)
        }
    }

    /// Keeps an opened main copy unless there is one already.
    func offer(_ descriptor: Descriptor, _ trust: Content<Descriptor>.Trust) {
        content { $0.offer(descriptor, trust) }
    }

    /// Has the open main copy verified again if nobody in the mount changed it and yet it is not what `row` describes.
    func doubt(_ row: Resource, _ unsynced: UnsyncedCopies) {
        guard let (copy, seen) = content({ $0.unchangedCopy }), let status = try? copy.status(),
            !row.describes(status), seen != .init(status), !unsynced.isKnown(row, status)
        else { return }
        content { $0.copyDoubted() }
    }

    /// The open main copy; nil while it has to be recovered first.
    package var descriptor: Descriptor? { content { $0.copy } }

    /// The open main copy if its content is known to be the file's.
    var verifiedDescriptor: Descriptor? { content { $0.trustedCopy } }

    /// Whether backup lacks something that the file holds.
    var needsUpload: Bool { content { $0.needsUpload } }
}

/// One open of a file.
package final class FileHandle: Sendable {
    /// The file it is open on.
    package let file: FileState
    /// Whether it was opened for writing.
    package let isWritable: Bool
    /// How the kernel reads and writes through it, from the moment that this was decided until it is closed.
    private let entry = Mutex<(mode: OpenMode, access: OpenAccess)?>(nil)
    /// Whose closes have something to answer for.
    private let users = Mutex(HandleUsers())
    /// The thread that was the last to use it: a write by the same one has nothing to note.
    private let lastUser = Atomic<Int32>(0)

    init(file: FileState, isWritable: Bool) {
        self.file = file
        self.isWritable = isWritable
    }

    /// How the kernel is to read and write through it.
    package var mode: OpenMode { entry.withLock { $0?.mode ?? .cached } }

    /// It was decided how the kernel reads and writes through it.
    func entered(_ mode: OpenMode, _ access: OpenAccess) { entry.withLock { $0 = (mode, access) } }

    /// A thread has opened the file, or is about to change it through this open.
    package func used(by thread: Int32) {
        guard isWritable, lastUser.exchange(thread, ordering: .relaxed) != thread else { return }
        users.withLock { $0.uses(thread, process: processID(ofThread:)) }
    }

    /// The file is changed through a mapping.
    package func usedThroughMapping() { users.withLock { $0.mayBeAnybody() } }

    /// Whether a close by a thread has nothing to answer for: its process has neither opened the file nor written through
    /// this open.
    func isBystander(_ thread: Int32) -> Bool {
        guard thread != lastUser.load(ordering: .relaxed) else { return false }
        return users.withLock { $0.isBystander(thread, process: processID(ofThread:)) }
    }

    /// What was decided, once.
    func left() -> (mode: OpenMode, access: OpenAccess)? {
        entry.withLock { entry in
            defer { entry = nil }
            return entry
        }
    }
}
