import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the journal's compactor promises by itself")
struct JournalCompactorTests {
    /// What the journal in backup says in the end.
    private func state(_ bench: Workbench) async throws -> [JournalRecord.Entity: JournalRecord] {
        var state: [JournalRecord.Entity: JournalRecord] = [:]
        let history = try await bench.history()
        #expect(history.gaps.isEmpty)
        for segment in history.segments {
            for record in try readRecords(segment.body) { state[record.entity] = record.isRemoval ? nil : record }
        }
        return state.filter(isKept)
    }

    /// What was deleted and has no content is in segments, and not in a snapshot.
    private func isKept(_ entry: (key: JournalRecord.Entity, value: JournalRecord)) -> Bool {
        if case .resource(let state) = entry.value { state.deletion == nil } else { true }
    }

    /// Ships `count` segments of a change or two each.
    private func fill(_ bench: Workbench, _ count: Int, from start: Int = 0) async throws {
        for index in start..<(start + count) {
            _ = try bench.makeRow("file \(index)", .directory)
            if index > 0, index % 3 == 0 { try bench.deleteRow("file \(index - 1)", directory: true) }
            let isShipped = await bench.journal.ship()
            #expect(isShipped)
        }
    }

    @Test("Few segments are left as they are")
    func few() async throws {
        try await Workbench.run { bench in
            try await fill(bench, JournalCompactor.fanIn)
            let before = bench.memory.keys
            try await bench.compactor.compact()
            #expect(bench.memory.keys == before)
        }
    }

    @Test("I9: what many segments told is told by few, at every time, and nothing is sent more often than it pays")
    func compacts() async throws {
        try await Workbench.run { bench in
            var most = 0
            for round in 0..<14 {
                try await fill(bench, 23, from: round * 23)
                most = max(most, bench.segments.count)
                let before = try await state(bench)
                try await bench.compactor.compact()
                #expect(try await state(bench) == before)
                let history = try await bench.history()
                #expect(history.segments.count <= 100)
            }
            #expect(most < 200)
            let sent = bench.memory.requests.filter { $0.method == .put && $0.key.hasPrefix(JournalKey.prefix) }
            let merged = Set(sent.map(\.key)).filter { JournalKey($0).map { $0.first < $0.id.number } ?? false }
            #expect(!merged.isEmpty && merged.count < sent.count / 10)
        }
    }

    @Test("A snapshot tells everything alone, and the one before it stays until the next")
    func snapshots() async throws {
        try await Workbench.run { bench in
            try await fill(bench, 5)
            let first = try #require(try await bench.compactor.snapshot())
            #expect(first.first == 0)
            try await fill(bench, 3, from: 5)
            let second = try #require(try await bench.compactor.snapshot())
            let all = bench.segments.compactMap { JournalKey($0) }
            #expect(all.filter { $0.first == 0 } == [first, second])
            #expect(all.allSatisfy { $0.id.number >= first.id.number })
            let newest = try await state(bench)
            // Without the newest one the one before it leads to the same end.
            bench.memory[second.key]?.bytes[30] ^= 1
            let history = try await bench.history()
            #expect(history.segments.first?.key == first && history.segments.last?.header.id == second.id)
            var found: [JournalRecord.Entity: JournalRecord] = [:]
            for segment in history.segments {
                for record in try readRecords(segment.body) { found[record.entity] = record.isRemoval ? nil : record }
            }
            #expect(found.filter(isKept) == newest)
            _ = try #require(try await bench.compactor.snapshot())
            #expect(bench.segments.compactMap { JournalKey($0) }.filter { $0.first == 0 }.count <= 2)
        }
    }

    @Test("Segments that are shipped while a snapshot is read follow it")
    func snapshotBesideSegments() async throws {
        try await Workbench.run { bench in
            try await fill(bench, 40)
            async let snapshot = bench.compactor.snapshot()
            try await fill(bench, 20, from: 40)
            let key = try #require(try await snapshot)
            try await fill(bench, 1, from: 60)
            let history = try await bench.history()
            #expect(history.segments.first?.key == key && history.segments.count == 62 - Int(key.id.number))
            let names = try await state(bench).keys.filter { if case .name = $0 { true } else { false } }
            #expect(names.count == 61 - 20)
        }
    }

    @Test("A journal that is damaged in backup begins anew with a snapshot, and nothing is merged from it")
    func damaged() async throws {
        try await Workbench.run { bench in
            try await fill(bench, 2)
            _ = try await bench.compactor.snapshot()
            try await fill(bench, JournalCompactor.fanIn + 3, from: 2)
            let victim = bench.segments[bench.segments.count / 2]
            bench.memory[victim]?.bytes[20] ^= 1
            try await bench.compactor.compact()
            let history = try await bench.history()
            #expect(history.segments.count == 1 && history.segments[0].key.first == 0)
        }
    }

    @Test("A bucket that begins anew has everything in its first segment")
    func base() async throws {
        try await Workbench.run { bench in
            try await fill(bench, 3)
            for key in bench.memory.keys { bench.memory[key] = nil }
            try await bench.claim.claim(isNew: true, deadline: .farAway)
            let isShipped = await bench.journal.ship()
            #expect(isShipped)
            let history = try await bench.history()
            #expect(history.segments.map(\.key.first) == [0])
            let names = try await state(bench).keys.filter { if case .name = $0 { true } else { false } }
            #expect(names.count == 3)
            try await fill(bench, 1, from: 3)
            #expect(try await bench.history().segments.count == 2)
        }
    }

    @Test("Who was overtaken merges nothing away")
    func overtaken() async throws {
        try await Workbench.run { bench in
            try await fill(bench, 2)
            _ = try await bench.compactor.snapshot()
            try await fill(bench, JournalCompactor.fanIn + 1, from: 2)
            let epochs = EpochList(bench.memory)
            let own = try #require(try await epochs.all(deadline: .farAway).last)
            try await epochs.add(
                Epoch(own.number + 1, VersionID(now: currentTime())), catalogue: "c", deadline: .farAway)
            let before = bench.segments
            await #expect(throws: FileSystemError.self) { try await bench.compactor.compact() }
            #expect(Set(before).isSubset(of: bench.segments))
        }
    }
}
