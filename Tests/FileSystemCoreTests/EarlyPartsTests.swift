import ObjectStorage
import Testing

@testable import FileSystemCore

@Suite("Which parts of a file that is being written can be sent")
struct EarlyPartsTests {
    private static let offer = StreamOffer(partSize: 10, threshold: 20, mostParts: 100)

    /// The value, where `#expect` can tell it events.
    private final class Model {
        private var parts: EarlyParts

        init(written: Int64 = 0, width: Int = 4) {
            parts = EarlyParts(EarlyPartsTests.offer, width: width)
            guard written > 0 else { return }
            write(0..<written)
            #expect(next() == .begin)
            #expect(began())
        }

        /// Tells a write that was done.
        func write(_ range: Range<Int64>) {
            changes(range)
            changes(range)
            parts.wrote(range)
        }

        var hasStep: Bool { parts.hasStep }
        var isGivenUp: Bool { parts.isGivenUp }
        var sound: Set<Int> { parts.sound }
        func changes(_ range: Range<Int64>) { parts.changes(range) }
        func resized(to size: Int64) { parts.resized(to: size) }
        func next() -> EarlyParts.Step? { parts.next() }
        func began() -> Bool { parts.began() }
        func partRead(_ number: Int) -> Bool { parts.partRead(number) }
        func partSent(_ number: Int) { parts.partSent(number) }
        func partFailed(_ number: Int) { parts.partFailed(number) }
        func giveUp() { parts.giveUp() }
        func take() -> Bool { parts.take() }
    }

    @Test("A file that is written in order: it begins when it is large, and each complete part is read once")
    func inOrder() {
        let parts = Model()
        parts.write(0..<19)
        #expect(parts.next() == nil)
        parts.write(19..<25)
        #expect(parts.next() == .begin)
        #expect(parts.next() == nil)
        #expect(parts.began())
        #expect(parts.next() == .read(1))
        #expect(parts.next() == nil, "one is read at a time")
        #expect(parts.partRead(1))
        #expect(parts.next() == .read(2))
        #expect(parts.partRead(2))
        #expect(parts.next() == nil)
        parts.partSent(2)
        parts.partSent(1)
        #expect(parts.sound == [1, 2])
        let isTaken = parts.take()
        #expect(isTaken)
        parts.write(25..<40)
        #expect(parts.next() == nil, "nothing begins after the close has taken it")
    }

    @Test("No more parts than the width are under way")
    func width() {
        let parts = Model(written: 90, width: 2)
        for number in 1...2 {
            #expect(parts.next() == .read(number))
            #expect(parts.partRead(number))
        }
        #expect(!parts.hasStep)
        parts.partSent(1)
        #expect(parts.next() == .read(3))
    }

    @Test("Writes that overtake one another are one stretch; a gap ends what can be sent")
    func gaps() {
        let parts = Model()
        parts.write(0..<5)
        parts.write(10..<30)
        #expect(!parts.hasStep)
        parts.write(5..<10)
        #expect(parts.next() == .begin)
        let sparse = Model(written: 20)
        sparse.write(50..<90)
        for number in 1...2 {
            #expect(sparse.next() == .read(number))
            #expect(sparse.partRead(number))
            sparse.partSent(number)
        }
        #expect(!sparse.hasStep)
        #expect(sparse.sound == [1, 2])
    }

    @Test("Written backwards: nothing begins before the beginning is there")
    func backwards() {
        let parts = Model()
        for start in stride(from: Int64(90), through: 10, by: -10) {
            parts.write(start..<(start + 10))
            #expect(!parts.hasStep)
        }
        parts.write(0..<10)
        #expect(parts.next() == .begin)
    }

    @Test("A change in every moment of a part's way makes it unsound, and no change elsewhere does", arguments: 0...4)
    func changes(moment: Int) {
        for range in [Int64(0)..<1, 9..<10, 5..<35] as [Range<Int64>] {
            let parts = Model(written: 40)
            func change(_ now: Int) { if now == moment { parts.changes(range) } }
            #expect(parts.next() == .read(1))
            change(0)
            if parts.partRead(1) {
                change(1)
                change(2)
                parts.partSent(1)
            }
            change(3)
            #expect(parts.next() == .read(2))
            #expect(parts.partRead(2))
            parts.partSent(2)
            change(4)
            #expect(!parts.sound.contains(1))
            if range.upperBound <= 10 { #expect(parts.sound == [2]) }
        }
        let parts = Model(written: 40)
        parts.changes(0..<40)
        #expect(parts.next() == .read(1))
        #expect(parts.partRead(1), "what changed before it was read does not matter")
        parts.partSent(1)
        parts.changes(10..<40)
        #expect(parts.sound == [1])
    }

    @Test("A part that fails gives all up, unless it has changed while it was sent")
    func failures() {
        let parts = Model(written: 40)
        #expect(parts.next() == .read(1))
        #expect(parts.partRead(1))
        parts.changes(3..<4)
        parts.partFailed(1)
        #expect(!parts.isGivenUp)
        #expect(parts.sound == [])
        #expect(parts.next() == .read(2))
        #expect(parts.partRead(2))
        parts.partFailed(2)
        #expect(parts.isGivenUp)
        #expect(!parts.hasStep)
        let isTaken = parts.take()
        #expect(!isTaken)
    }

    @Test("A file that is cut below what was sent gives it up; above it nothing happens")
    func cutting() {
        let parts = Model(written: 40)
        #expect(parts.next() == .read(1))
        #expect(parts.partRead(1))
        parts.partSent(1)
        parts.resized(to: 10)
        #expect(!parts.isGivenUp)
        #expect(!parts.hasStep, "the rest is not there any more")
        parts.resized(to: 9)
        #expect(parts.isGivenUp)
    }

    @Test("A file that is written again and again is given up")
    func manyChanges() {
        let parts = Model(written: 400, width: 50)
        for number in 1...40 {
            #expect(parts.next() == .read(number))
            #expect(parts.partRead(number))
            parts.partSent(number)
        }
        parts.changes(0..<200)
        #expect(!parts.isGivenUp)
        #expect(parts.sound == Set(21...40))
        parts.changes(0..<210)
        #expect(parts.isGivenUp)
    }

    @Test("A close that comes while the store begins takes it; what was given up meanwhile is not wanted")
    func lateBeginning() {
        let parts = Model()
        parts.write(0..<30)
        #expect(parts.next() == .begin)
        #expect(parts.take())
        #expect(parts.began(), "the close waits for it, and goes on with it")
        #expect(!parts.hasStep)
        let other = Model()
        other.write(0..<30)
        #expect(other.next() == .begin)
        other.resized(to: 20)
        other.giveUp()
        #expect(!other.began())
        let small = Model()
        small.write(0..<5)
        #expect(!small.take())
    }
}
