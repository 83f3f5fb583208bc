// One file as the orders of events see it: main, the row and the object, and who is in the middle of what. Bytes are sets of
// the writes that are in them, in two halves, so that a read can meet a write half done.

import Catalogue

@testable import FileSystemCore

/// An open main copy; one inode may be open twice.
final class TestCopy: Hashable, Sendable {
    let inode: Int

    init(inode: Int) { self.inode = inode }

    static func == (one: TestCopy, other: TestCopy) -> Bool { one === other }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// What a file holds: which writes its first and its second half have.
struct TestBytes: Hashable {
    struct Writes: OptionSet, Hashable {
        let rawValue: UInt8

        static let old = Writes(rawValue: 1)
        static let one = Writes(rawValue: 2)
        static let two = Writes(rawValue: 4)
        static let emptying = Writes(rawValue: 8)
        static let damage = Writes(rawValue: 16)
    }

    var first: Writes
    var second: Writes

    var isWhole: Bool { first == second }

    init(_ writes: Writes = []) {
        first = writes
        second = writes
    }

    func has(_ write: Writes) -> Bool { first.contains(write) && second.contains(write) }

    /// Whether it has no byte, by whoever emptied it.
    var isEmptied: Bool { has(.emptying) && first.union(second).isSubset(of: [.emptying, .damage]) }
}

/// What is wrong with an order.
struct BrokenPromise: Error, CustomStringConvertible {
    var description: String
}

/// Everything at one moment.
struct ContentWorld: Hashable {
    typealias Stamp = Content<TestCopy>.Stamp

    /// What one actor has in its hands.
    struct Hands: Hashable {
        var step = 0
        var isDone = false
        var stamp = Stamp()
        /// The count that was seen before that.
        var seen = Stamp()
        var missing: Content<TestCopy>.Missing?
        var copy: Int?
        var bytes = TestBytes()
        var flag = false
        var attempts = 0
        /// It has the file open for writing.
        var isOpen = false
        /// What it tried to do to main failed.
        var hasFailed = false
    }

    /// A close that may return once backup has what it saw.
    struct Close: Hashable {
        var stamp: Stamp
        var write: TestBytes.Writes
    }

    /// The copies that there may be: what main had, and what somebody makes.
    static let copies = (0..<3).map(TestCopy.init)
    /// The same, opened by somebody who came later.
    static let reopened = (0..<3).map(TestCopy.init)

    var content = Content<TestCopy>()
    var bytes: [TestBytes] = Array(repeating: TestBytes(), count: 3)
    /// The copy that has the file's name in main.
    var named: Int?
    /// Who writes or cuts main's copy just now: the kernel lets one at a time, and readers do not wait.
    var holder: Int?
    var isDeleted = false
    /// Somebody has begun to empty the file.
    var isEmptying = false
    /// The row, as it is committed.
    var isMarked = false
    var version: TestBytes?
    var hands: [Hands]
    var closes: Set<Close> = []

    init(actors: Int) { hands = Array(repeating: Hands(), count: actors) }

    /// The inode of the open copy.
    var open: Int? { content.copy?.inode }

    /// What docs/SEMANTICS.md promises at every moment.
    func check() throws {
        if content.mustCompare || !content.needsNoVerification, content.comparison == nil {
            throw BrokenPromise(description: "somebody waits for a comparison that nobody can make")
        }
        guard !isDeleted else { return }
        if let version {
            guard version.isWhole else { throw BrokenPromise(description: "an object that the file never was") }
            // Until it is emptied, a file that is being emptied is what it was.
            guard !version.has(.damage) || isEmptying else { throw BrokenPromise(description: "damage was backed up") }
        }
        for close in closes where content.isBackedUp(close.stamp) {
            guard let version, version.has(close.write) || version.has(.emptying) else {
                throw BrokenPromise(description: "I1: write \(close.write.rawValue) was taken for backed up")
            }
        }
        if let named, let version, bytes[named] != version, !bytes[named].has(.damage), !isMarked {
            throw BrokenPromise(description: "I2: main is ahead and the row does not know it")
        }
    }

    /// What must hold when everybody is done.
    func checkEnd() throws {
        try check()
        guard !isDeleted else { return }
        if content.needsUpload, !isMarked, version != nil || named != nil {
            throw BrokenPromise(description: "I2: an upload is needed, and the row does not say so")
        }
        guard let open, !bytes[open].has(.damage) else { return }
        if !content.needsUpload, bytes[open] != version {
            throw BrokenPromise(description: "I1: backup does not have what main has, and nobody knows")
        }
        for close in closes where close.write == .emptying {
            guard bytes[open].has(.emptying) else {
                throw BrokenPromise(description: "I3: content came back that had been replaced")
            }
        }
    }
}
