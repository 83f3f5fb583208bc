import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the journal's shipper promises by itself")
struct JournalShipperTests {
    /// What the object under a key tells.
    private func records(_ bench: Workbench, _ key: String) throws -> [JournalRecord] {
        try readRecords(.memory(try #require(bench.memory[key]).bytes))
    }

    private func ids(_ bench: Workbench) -> [SegmentID] { bench.segments.compactMap { JournalKey($0)?.id } }

    @Test("Numbers rise, and each segment tells what changed since the one before")
    func numbersRise() async throws {
        try await Workbench.run { bench in
            for name in ["a", "b", "c"] {
                let row = try bench.makeRow(name)
                let isShipped = await bench.journal.ship()
                #expect(isShipped)
                let last = try #require(bench.segments.last)
                let records = try records(bench, last)
                #expect(
                    records.contains(.name(parent: 1, name: Array(name.utf8), resource: row.id.rawValue)))
                #expect(records.count { if case .name = $0 { true } else { false } } == 1)
            }
            #expect(ids(bench).map(\.number) == [1, 2, 3])
            #expect(try bench.catalogue.lastJournalEntry() == 0)
        }
    }

    @Test(
        "An attempt that failed is sent again under a key of its own, with the same number; nothing of it is forgotten")
    func sentAgain() async throws {
        try await Workbench.run { bench in
            let row = try bench.makeRow("a")
            bench.store.inject(.loseAnswer, on: [.put], keys: .prefix(".backupfs/journal/"), count: 1)
            let isShipped = await bench.journal.ship()
            #expect(!isShipped && !bench.health.isReachable && bench.counters.now.journalFailures == 1)
            #expect(try bench.catalogue.lastJournalEntry() > 0)
            let isShippedThen = await bench.journal.ship()
            #expect(isShippedThen && bench.health.isReachable)
            #expect(ids(bench).map(\.number) == [1, 1] && ids(bench).map(\.attempt) == [1, 2])
            for key in bench.segments {
                let records = try records(bench, key)
                #expect(records.contains(.name(parent: 1, name: [UInt8(ascii: "a")], resource: row.id.rawValue)))
            }
            try bench.deleteRow("a")
            let isShippedAtLast = await bench.journal.ship()
            #expect(isShippedAtLast)
            #expect(ids(bench).last?.number == 2)
            // The history goes through the attempt that is known to have arrived.
            #expect(try await bench.history().segments.map(\.header.id.attempt) == [2, 1])
        }
    }

    @Test("The number is on record before anything is sent: a catalogue that does not know it is an older one")
    func numberIsOnRecord() async throws {
        try await Workbench.run { bench in
            let gate = Gate()
            bench.store.inject(.hold(gate), on: [.put])
            let shipping = Task { await bench.journal.ship() }
            await gate.reached()
            let (begun, ended) = (
                try bench.catalogue.setting(Setting.journalBegun), try bench.catalogue.setting(Setting.journal)
            )
            let id = try #require(begun.flatMap { SegmentID($0) })
            #expect(id.number == 1 && ended == nil)
            gate.open()
            let isShipped = await shipping.value
            #expect(isShipped)
            #expect(try bench.catalogue.setting(Setting.journal) == "\(id)")
        }
    }

    @Test("One segment at a time: who comes meanwhile waits for it, and then for what it does not tell")
    func oneAtATime() async throws {
        try await Workbench.run { bench in
            let gate = Gate()
            bench.store.inject(.hold(gate), on: [.put])
            let first = Task { try await bench.journal.sync(deadline: .farAway) }
            await gate.reached()
            _ = try bench.makeRow("late")
            await #expect(throws: FileSystemError.backupTimedOut) {
                try await bench.journal.sync(deadline: .atOnce)
            }
            #expect(bench.segments.isEmpty)
            let second = Task { try await bench.journal.sync(deadline: .farAway) }
            gate.open()
            try await first.value
            try await second.value
            #expect(gate.arrived == 2)
            #expect(ids(bench).map(\.number) == [1, 2])
            #expect(try bench.catalogue.lastJournalEntry() == 0)
        }
    }

    @Test("Nothing is sent to a prefix that is not known to be ours", arguments: [true, false])
    func foreign(isDown: Bool) async throws {
        let memory = MemoryStore()
        memory[".backupfs/catalogue.json"] = .init(bytes: Array(#"{"catalogue":"another","format":1}"#.utf8))
        try await Workbench.run(isClaimed: false, memory: memory) { bench in
            if isDown { bench.store.inject(.fail(.unreachable(reason: "down")), on: [.check, .get, .list, .head]) }
            let isShipped = await bench.journal.ship()
            let last = try bench.catalogue.lastJournalEntry()
            #expect(!isShipped && last > 0 && memory.count(.put) == 0)
        }
    }

    @Test("With nothing to tell nobody is asked")
    func nothingToTell() async throws {
        try await Workbench.run { bench in
            let isShipped = await bench.journal.ship()
            #expect(isShipped)
            bench.memory.forgetRequests()
            bench.store.inject(.fail(.unreachable(reason: "down")))
            let isShippedAgain = await bench.journal.ship()
            #expect(isShippedAgain && bench.memory.requests.isEmpty)
        }
    }
}
