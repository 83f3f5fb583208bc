// One upload that has begun before its file's close: what is under way of it, and how it ends. What is decided is in the value
// EarlyParts.swift; the work is done by `EarlyUploads`.

import Catalogue
import Linux
import ObjectStorage
import Synchronization

/// An upload of a file that is being written.
final class EarlyUpload: Sendable {
    /// What was decided when it began.
    struct Begun: Sendable {
        /// Its size and checksum are not known yet.
        let version: Version
        let point: ChangePoint
        let stream: any PartStream
        /// The main copy that it reads.
        let source: Descriptor
    }

    private struct State {
        var parts: EarlyParts
        var begun: Begun?
        /// What is under way, by the part's number; 0: its beginning.
        var tasks: [Int: Task<Void, Never>] = [:]
        var isAbandoned = false
    }

    let offer: StreamOffer
    private let ahead: UploadsAhead
    /// Guards what is known of the parts; held for no call.
    private let state: Mutex<State>
    /// The checksums of what was read: a part is read when the one before it has been, the rest when no part is any more.
    let hashes: PartHashes

    init(_ offer: StreamOffer, width: Int, ahead: UploadsAhead) {
        self.offer = offer
        self.ahead = ahead
        state = Mutex(State(parts: EarlyParts(offer, width: width)))
        hashes = PartHashes(partSize: offer.partSize)
    }

    /// Tells the parts an event, or asks them; `body` does nothing else.
    func parts<Value: Sendable>(_ body: (inout sending EarlyParts) -> sending Value) -> Value {
        state.withLock { body(&$0.parts) }
    }

    /// What has begun; nil before that.
    var begun: Begun? { state.withLock { $0.begun } }

    /// Does a step's work in a task of its own.
    func start(_ step: EarlyParts.Step, _ work: @escaping @Sendable () async -> Void) {
        let number = if case .read(let number) = step { number } else { 0 }
        state.withLock { state in
            state.tasks[number] = Task(executorPreference: BlockingExecutor.shared) { [self] in
                await work()
                self.state.withLock { _ = $0.tasks.removeValue(forKey: number) }
            }
        }
    }

    /// The store has begun it; false, and it is given up, if nobody wants it any more.
    func began(_ begun: Begun) -> Bool {
        let isWanted = state.withLock { state in
            guard state.parts.began() else { return false }
            state.begun = begun
            return true
        }
        if !isWanted {
            begun.stream.abandon()
            ahead.end(self)
        }
        return isWanted
    }

    /// The close has had it begun, and does all of it.
    func beganAtClose(_ begun: Begun) {
        state.withLock { state in
            state.parts.beganAtClose()
            state.begun = begun
        }
    }

    /// Takes over what was sent; nil if that is nothing.
    ///
    /// Waits for what is under way, which has deadlines of its own.
    func take() async -> Begun? {
        guard parts({ $0.take() }) else {
            abandon()
            return nil
        }
        for task in state.withLock({ Array($0.tasks.values) }) { await task.value }
        guard !parts(\.isGivenUp), let begun else {
            abandon()
            return nil
        }
        return begun
    }

    /// It is the object of a version now.
    func completed() {
        state.withLock { $0.isAbandoned = true }
        ahead.end(self)
    }

    /// Nobody wants it: the store forgets its parts as soon as none is on its way.
    func abandon() {
        let (tasks, isFirst) = state.withLock { state in
            defer { state.isAbandoned = true }
            state.parts.giveUp()
            return (Array(state.tasks.values), !state.isAbandoned)
        }
        guard isFirst else { return }
        Task { [self] in
            // None is cancelled: of one whose answer is lost nobody knows whether the server has it, or will.
            for task in tasks { await task.value }
            guard let begun else { return }
            begun.stream.abandon()
            ahead.end(self)
        }
    }
}
