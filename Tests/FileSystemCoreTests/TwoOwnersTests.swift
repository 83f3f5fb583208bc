// One prefix, two owners: nothing that the newer one needs is removed by the older one, whatever the order of their requests
// (docs/DURABILITY.md, One owner at a time).

import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Two owners of one backup")
struct TwoOwnersTests {
    /// All orders of so many requests of the owners 0 and 1.
    private func orders(_ first: Int, _ second: Int) -> [[Int]] {
        if first == 0 { return [Array(repeating: 1, count: second)] }
        if second == 0 { return [Array(repeating: 0, count: first)] }
        return orders(first - 1, second).map { [0] + $0 } + orders(first, second - 1).map { [1] + $0 }
    }

    /// What somebody does who takes the backup over: claim, then read; the key of the file's content that he finds.
    private func takeOver(_ bench: Workbench, _ store: FaultyStore) async throws -> String? {
        let epochs = EpochList(store)
        let newest = try #require(try await epochs.all(deadline: .farAway).last)
        let own = Epoch(newest.number + 1, VersionID(now: currentTime()))
        try await epochs.add(own, catalogue: "c", deadline: .farAway)
        #expect(try await epochs.all(deadline: .farAway).last == own)
        let reader = JournalReader(segments: SegmentStore(store, bench.main), patience: .seconds(60))
        let history = try #require(try await reader.history())
        var key: String?
        for segment in history.segments {
            for case .resource(let state) in try readRecords(segment.body) {
                if let content = state.content { key = content.key }
            }
        }
        return key
    }

    @Test("I15: in every order of an old owner's removal and a take-over, what the new owner reads of is there")
    func removals() async throws {
        var outcomes: [Bool: Int] = [:]
        let orders = orders(3, 5)
        for order in orders {
            try await Workbench.run { bench in
                let old = try await bench.storedFile("a", photo(1))
                let isTold = await bench.journal.ship()
                #expect(isTold)
                let oldKey = try bench.key(old)
                let file = try bench.use(old.id)
                file.offer(
                    try #require(try bench.main.openFile(MainEntry(bench.main.root, [97]), writing: true)), .compared)
                try bench.write(file, photo(2))
                try await bench.uploader.backUp(file, deadline: .farAway)
                bench.files.release(file)
                let turns = Turns(order)
                bench.store.inject(.inTurn(turns, owner: 0))
                let other = FaultyStore(bench.memory)
                other.inject(.inTurn(turns, owner: 1))
                async let removal: Void = {
                    _ = await bench.journal.ship()
                    try? bench.commitRecords()
                    let due = (try? bench.catalogue.dueRemovals(now: .max, limit: 9)) ?? []
                    await bench.remover.removeVersions(due)
                    turns.retire(0)
                }()
                let found = await Result { try await takeOver(bench, other) }
                turns.retire(1)
                await removal
                let key = try found.get()
                let needed = try #require(key)
                #expect(bench.memory[needed] != nil, "\(turns.taken)")
                let isRemoved = bench.memory[oldKey] == nil
                outcomes[isRemoved, default: 0] += 1
                // Who has lost the backup knows it, and does nothing more.
                if !isRemoved {
                    #expect(bench.claim.takeover != nil)
                    let failure = await #expect(throws: FileSystemError.self) {
                        try await bench.claim.verify(deadline: .farAway)
                    }
                    guard case .backup(.denied(.notOurs, _)) = failure else {
                        Issue.record("\(String(describing: failure))")
                        return
                    }
                }
            }
        }
        print("two owners: \(orders.count) orders, in \(outcomes[true] ?? 0) the old one removed what he had told")
        #expect((outcomes[true] ?? 0) > 0 && (outcomes[false] ?? 0) > 0)
    }

    @Test("A copied catalogue cannot be mounted beside its original, and the original goes on")
    func copiedCatalogue() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let copy = try system.core.catalogue.setting(Setting.epoch)
            try await system.restart()
            try await system.write("b.jpg", photo(2))
            await system.stop()
            try await system.openUnstarted()
            // A copy from before the last mount.
            let earlier = try #require(copy)
            try system.core.catalogue.change(.powerLoss, .set([Setting.epoch: earlier]))
            let failure = await #expect(throws: OwnershipError.self) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            guard case .takenOver(_, let host, let time) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(!host.isEmpty && time.hasPrefix("20"))
        }
    }

    @Test(
        "An owner that was overtaken fails its closes with one clear line, ships nothing, removes nothing, and reads on"
    )
    func overtaken() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.settle()
            try system.lose("a.jpg")
            let epochs = EpochList(system.memory)
            let own = try #require(try await epochs.all(deadline: .farAway).last)
            try await epochs.add(
                Epoch(own.number + 1, VersionID(now: currentTime())), catalogue: "c", deadline: .farAway)
            await #expect(throws: FileSystemError.self) {
                try await system.core.claim.confirmOwner(deadline: .farAway)
            }
            let keys = system.memory.keys
            let failure = await #expect(throws: FileSystemError.self) { try await system.write("b.jpg", photo(2)) }
            #expect("\(String(describing: failure))".contains("was taken over by"))
            try system.remove("b.jpg")
            #expect(try await system.read("a.jpg") == photo(1))
            await #expect(throws: FileSystemError.self) { try await system.core.syncJournal() }
            #expect(system.memory.keys == keys)
            let status = try await system.core.operatorDesk.status()
            #expect(status.backup.takenOver?.contains("was taken over by") == true && status.pending.journalLag > 0)
        }
    }
}
