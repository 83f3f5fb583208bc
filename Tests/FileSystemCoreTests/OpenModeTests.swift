// Every order in which a file's opens can come and go, against the rules of the kernel (fs/fuse/iomode.c), written down a second
// time: an order that breaks one would be an EIO for a program that did nothing wrong.

import Foundation
import Testing

@testable import FileSystemCore

/// An open main copy, of which only the identity counts.
private final class Copy: Sendable {}

/// The kernel's side: the opens of one file that it has.
private struct Kernel {
    var cached = 0
    /// The backing file of each open that names one.
    var backed: [Int32] = []

    /// Whether it takes an open, and the open counts from then on.
    mutating func takes(_ mode: OpenMode) -> Bool {
        guard let backing = mode.backing else {
            cached += 1
            return backed.isEmpty
        }
        defer { backed.append(backing.id) }
        return cached == 0 && backed.allSatisfy { $0 == backing.id }
    }

    mutating func release(_ mode: OpenMode) {
        guard let backing = mode.backing else {
            cached -= 1
            return
        }
        if let index = backed.firstIndex(of: backing.id) { backed.remove(at: index) }
    }
}

/// What can happen to a file.
private enum Event: CaseIterable {
    case reader
    case unbufferedReader
    case writer
    case truncatingReader
    case mapper
    case firstCloses
    case lastCloses
    case copyReplaced
    case watchLooks

    var access: OpenAccess? {
        switch self {
        case .reader: OpenAccess(reads: true, writes: false)
        case .unbufferedReader: OpenAccess(reads: true, writes: false, isUnbuffered: true)
        case .writer: OpenAccess(reads: false, writes: true)
        case .truncatingReader: OpenAccess(reads: true, writes: false, truncates: true)
        case .mapper: OpenAccess(reads: true, writes: true)
        default: nil
        }
    }
}

/// A file, its opens, and the kernel.
private struct World {
    var opens = OpenModes<Copy>()
    var kernel = Kernel()
    var handles: [(mode: OpenMode, access: OpenAccess)] = []
    var copy = Copy()
    /// What each number stands for, and whether it is registered.
    var registered: [Int32: Copy] = [:]
    var last: Int32 = 0
    var isWatched = false
    /// The first promise that was broken.
    var broken: String?

    private mutating func promise(_ isKept: Bool, _ what: String) {
        if !isKept, broken == nil { broken = what }
    }

    mutating func happens(_ event: Event) {
        if let access = event.access { return open(access) }
        switch event {
        case .firstCloses where !handles.isEmpty: close(handles.removeFirst())
        case .lastCloses where !handles.isEmpty: close(handles.removeLast())
        case .copyReplaced: copy = Copy()
        case .watchLooks where isWatched:
            guard let unused = opens.watchEnds(unless: { false }) else { return }
            isWatched = false
            let canMap = handles.contains { $0.mode != .cached && $0.access.mayMapForWriting }
            promise(!canMap, "the watch has ended too early")
            forget(unused)
        default: break
        }
    }

    private mutating func open(_ access: OpenAccess) {
        var (registered, last) = (registered, last)
        let decision = opens.opened(access, copy) { copy in
            last += 1
            registered[last] = copy
            return BackingFile(id: last)
        }
        (self.registered, self.last) = (registered, last)
        guard case .open(let mode) = decision else {
            // Only a mapping of a copy that is not the file's content any more is refused.
            let isOldOpen = isWatched || handles.contains { isOld($0.mode) }
            return promise(access.reads && isOldOpen, "an open was refused for nothing")
        }
        let isTaken = kernel.takes(mode)
        promise(isTaken, "the kernel answers EIO")
        if let backing = mode.backing {
            promise(registered[backing.id] != nil, "an open names what is not registered")
            // What the kernel reads or maps by itself is the file's content.
            promise(!access.reads || registered[backing.id] === copy, "an old copy can be mapped")
            if case .passthrough = mode { promise(access.isForReading, "a write passes by") }
        }
        handles.append((mode, access))
        let mustWatch = mode != .cached && access.mayMapForWriting
        let begun = opens.watchBegins() != nil
        promise(begun == (mustWatch && !isWatched), "nobody watches, or two do")
        isWatched = isWatched || begun
    }

    private func isOld(_ mode: OpenMode) -> Bool { mode.backing.map { registered[$0.id] !== copy } ?? false }

    private mutating func close(_ handle: (mode: OpenMode, access: OpenAccess)) {
        // The kernel lets go of an open before it says so.
        kernel.release(handle.mode)
        forget(opens.closed(handle.mode, handle.access))
    }

    private mutating func forget(_ backing: BackingFile?) {
        guard let backing else { return }
        let isKnown = registered.removeValue(forKey: backing.id) != nil
        promise(isKnown, "a number is given back twice")
        promise(!kernel.backed.contains(backing.id), "a number that is in use is given back")
    }

    /// All that is left is closed, and then nothing is registered.
    mutating func end() {
        for handle in handles { close(handle) }
        handles = []
        happens(.watchLooks)
        promise(registered.isEmpty && !opens.isUncached, "something stays registered")
    }
}

@Suite("How the kernel reads and writes")
struct OpenModeTests {
    @Test("No order of opens, closes and replaced copies breaks a rule of the kernel or reads an old copy by itself")
    func everyOrder() {
        var worlds = 0
        func explore(_ world: World, _ events: [Event]) {
            worlds += 1
            var ended = world
            ended.end()
            if let broken = ended.broken { Issue.record("\(broken) after \(events)") }
            guard ended.broken == nil, events.count < 6 else { return }
            for event in Event.allCases {
                var next = world
                next.happens(event)
                explore(next, events + [event])
            }
        }
        explore(World(), [])
        #expect(worlds == 597_871)
    }

    @Test("A reader alone reads by itself, one beside a writer does not, and a writer beside a reader is heard")
    func examples() {
        let copy = Copy()
        let reader = OpenAccess(reads: true, writes: false)
        let writer = OpenAccess(reads: true, writes: true)
        let backing = BackingFile(id: 1)
        var opens = OpenModes<Copy>()
        #expect(opens.opened(reader, copy) { _ in backing } == .open(.passthrough(backing)))
        #expect(opens.opened(writer, copy) { _ in nil } == .open(.direct(backing)))
        #expect(opens.opened(reader, Copy()) { _ in nil } == .refused)
        opens = OpenModes()
        #expect(opens.opened(writer, copy) { _ in backing } == .open(.cached))
        #expect(opens.opened(reader, copy) { _ in backing } == .open(.cached))
        opens = OpenModes()
        #expect(opens.opened(reader, copy) { _ in nil } == .open(.cached))
        opens = OpenModes()
        #expect(opens.opened(reader, nil) { _ in backing } == .open(.cached))
    }
}
