// What the kernel is told without having asked. Such a call waits inside the kernel: for the pages of a file, that is for
// the answer to a read of it. So no thread that serves requests ever makes one, and no lock is held during one.

import CFuse
import Catalogue
import Dispatch
import FileSystemCore
import Glibc
import Linux
import ObjectStorage
import Synchronization

/// libfuse's session.
///
/// Safe to send: notifications may be sent from any thread as long as it lives, which `KernelNotifications` sees to.
struct SessionPointer: @unchecked Sendable {
    let raw: OpaquePointer
}

/// Makes the kernel forget what it remembers of files, on threads of its own.
final class KernelNotifications: Sendable {
    /// A range of no bytes at all: only the attributes are forgotten, and the kernel waits for no page.
    private static let attributesOnly: off_t = -1

    private let attributes: NotificationQueue
    private let content: NotificationQueue

    init(_ session: SessionPointer) {
        attributes = NotificationQueue(name: "notify-attr") { id in
            _ = fuse_lowlevel_notify_inval_inode(session.raw, fuse_ino_t(id.rawValue), Self.attributesOnly, 0)
        }
        content = NotificationQueue(name: "notify-pages") { id in
            _ = fuse_lowlevel_notify_inval_inode(session.raw, fuse_ino_t(id.rawValue), 0, 0)
        }
    }

    /// Makes the kernel forget the attributes and the content of a file, soon.
    func invalidate(_ id: ResourceID) {
        attributes.add(id) {}
        content.add(id) {}
    }

    /// The same, and returns when the attributes are forgotten; no thread waits for that.
    ///
    /// The pages follow when the kernel lets go of them. A read of those beyond the length asks for the attributes first.
    func invalidateAttributesFirst(_ id: ResourceID) async {
        await withCheckedContinuation { continuation in attributes.add(id) { continuation.resume() } }
        content.add(id) {}
    }

    /// Whether the kernel is to be told something about a file, or is just being told.
    func isAbout(_ id: ResourceID) -> Bool { attributes.holds(id) || content.holds(id) }

    /// Returns when the kernel was told all that it is to be told about a file so far; no thread waits for that.
    func settled(_ id: ResourceID) async {
        await withCheckedContinuation { continuation in attributes.whenTold(id) { continuation.resume() } }
        await withCheckedContinuation { continuation in content.whenTold(id) { continuation.resume() } }
    }

    /// Begins no further call.
    func stop() {
        attributes.stop()
        content.stop()
    }

    /// Whether no call is under way any more, once `stop` was called; waits for `patience` at most.
    ///
    /// The session must not be destroyed otherwise.
    func isQuiet(patience: DispatchTimeInterval) -> Bool {
        let deadline = DispatchTime.now() + patience
        return attributes.isQuiet(until: deadline) && content.isQuiet(until: deadline)
    }
}

/// Files that wait for one kind of notification, each at most once, and the thread that sends them.
private final class NotificationQueue: Sendable {
    private struct State {
        var order: [ResourceID] = []
        /// What is to be called after the notification of each file in `order`.
        var completions: [ResourceID: [@Sendable () -> Void]] = [:]
        /// The file that the kernel is just being told about, and who is to be called then.
        var current: (id: ResourceID, completions: [@Sendable () -> Void])?
        var isServed = false
        var isStopped = false
    }

    /// Guards the files that wait; never held during a call.
    private let state = Mutex(State())
    /// Entered once for each call into the kernel.
    private let calls = DispatchGroup()
    private let thread: BlockingThreads
    private let notify: @Sendable (ResourceID) -> Void

    init(name: String, _ notify: @escaping @Sendable (ResourceID) -> Void) {
        thread = BlockingThreads(name: name, width: 1)
        self.notify = notify
    }

    /// Never blocks; `completion` must not either.
    func add(_ id: ResourceID, _ completion: @escaping @Sendable () -> Void) {
        let needsThread = state.withLock { state in
            if state.completions[id] == nil { state.order.append(id) }
            state.completions[id, default: []].append(completion)
            defer { state.isServed = true }
            return !state.isServed
        }
        if needsThread { thread.run { [self] in serve() } }
    }

    /// Whether the kernel is to be told about the file, or is just being told.
    func holds(_ id: ResourceID) -> Bool {
        state.withLock { $0.completions[id] != nil || $0.current?.id == id }
    }

    /// Calls `completion` when the kernel was told about the file; at once if it is not to be told.
    func whenTold(_ id: ResourceID, _ completion: @escaping @Sendable () -> Void) {
        let isTold = state.withLock { state in
            if state.completions[id] != nil {
                state.completions[id, default: []].append(completion)
            } else if state.current?.id == id {
                state.current?.completions.append(completion)
            } else {
                return true
            }
            return false
        }
        if isTold { completion() }
    }

    /// Begins no further call; completions of what waits are called all the same.
    func stop() { state.withLock { $0.isStopped = true } }

    func isQuiet(until deadline: DispatchTime) -> Bool { calls.wait(timeout: deadline) == .success }

    private func serve() {
        while true {
            let batch = state.withLock { state in
                defer { state.order = [] }
                if state.order.isEmpty { state.isServed = false }
                return state.order
            }
            if batch.isEmpty { return }
            for id in batch { send(id) }
        }
    }

    private func send(_ id: ResourceID) {
        let mayCall = state.withLock { state in
            if !state.isStopped { calls.enter() }
            state.current = (id, state.completions.removeValue(forKey: id) ?? [])
            return !state.isStopped
        }
        if mayCall {
            notify(id)
            calls.leave()
        }
        let completions = state.withLock { state in
            defer { state.current = nil }
            return state.current?.completions ?? []
        }
        for completion in completions { completion() }
    }
}
