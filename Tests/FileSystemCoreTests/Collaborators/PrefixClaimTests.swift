import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the claim of a prefix promises by itself")
struct PrefixClaimTests {
    private static let marker = ".backupfs/catalogue.json"
    private static let foreign = MemoryStore.Object(bytes: Array(#"{"catalogue":"another","format":1}"#.utf8))

    @Test("A place of nobody's becomes ours with one marker, that names the catalogue, and stays ours")
    func own() async throws {
        try await Workbench.run(isClaimed: false) { bench in
            #expect(try bench.catalogue.setting(Setting.claimed) == nil)
            for _ in 1...2 { try await bench.claim.claim(deadline: .farAway) }
            #expect(bench.memory.count(.put, .exactly(Self.marker)) == 1)
            // Each claim is the next epoch, and the ones before it are gone.
            #expect(bench.memory.keys.filter { $0 != Self.marker }.compactMap { EpochList.epoch($0)?.number } == [2])
            let owner = try await bench.claim.readMarker(deadline: .farAway)
            #expect(try owner == bench.catalogue.setting(Setting.catalogue))
            #expect(try bench.catalogue.setting(Setting.claimed) == "yes")
        }
    }

    @Test("Another's place is refused, also for a new backup, and nothing is written there", arguments: [false, true])
    func another(isNew: Bool) async throws {
        let memory = MemoryStore()
        memory[Self.marker] = Self.foreign
        try await Workbench.run(isClaimed: false, memory: memory) { bench in
            await #expect(throws: OwnershipError.belongsToAnother(location: memory.location)) {
                try await bench.claim.claim(isNew: isNew, deadline: .farAway)
            }
            let claimed = try bench.catalogue.setting(Setting.claimed)
            #expect(memory.keys == [Self.marker] && memory.count(.put) == 0 && claimed == nil)
        }
    }

    @Test("I8: a place that was ours and has no marker is refused, until somebody says that the backup begins anew")
    func markerIsMissing() async throws {
        try await Workbench.run { bench in
            bench.memory[Self.marker] = nil
            await #expect(throws: OwnershipError.markerMissing(location: bench.memory.location)) {
                try await bench.claim.claim(deadline: .farAway)
            }
            let before = bench.memory.keys
            #expect(before.allSatisfy { EpochList.epoch($0) != nil })
            try await bench.claim.claim(isNew: true, deadline: .farAway)
            #expect(bench.memory.keys.count == 2 && bench.memory[Self.marker] != nil)
            // All that main has is to be uploaded there.
            #expect(try bench.catalogue.setting(Setting.scrub) == ScrubSchedule.atOnce)
        }
    }

    @Test("I9: a journal with a segment that this catalogue never began to send is of a newer catalogue")
    func olderCatalogue() async throws {
        try await Workbench.run { bench in
            let isShipped = await bench.journal.ship()
            #expect(isShipped)
            try await bench.claim.claim(deadline: .farAway)
            let epoch = try await bench.claim.epoch(deadline: .farAway)
            let next = SegmentID(number: 2, epoch: epoch, attempt: 1)
            bench.memory[JournalKey(first: 2, id: next).key] = .init(bytes: [])
            await #expect(throws: OwnershipError.catalogueIsOlder(location: bench.memory.location)) {
                try await bench.claim.claim(deadline: .farAway)
            }
            // It has begun to send that one: the answer was lost.
            try bench.catalogue.change(.processCrash, .set([Setting.journalBegun: "\(next)"]))
            try await bench.claim.claim(deadline: .farAway)
        }
    }

    @Test("What is known to be ours is not asked again by an upload, and is by whoever doubts it")
    func verifiedOnce() async throws {
        try await Workbench.run(isClaimed: false) { bench in
            try await bench.claim.verify(deadline: .farAway)
            bench.memory.forgetRequests()
            try await bench.claim.verify(deadline: .farAway)
            #expect(bench.memory.requests.isEmpty)
            bench.memory[Self.marker] = Self.foreign
            let failure = await #expect(throws: FileSystemError.self) {
                try await bench.claim.confirm(deadline: .farAway)
            }
            guard case .backup(.denied(.notOurs, _)) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
        }
    }

    @Test("A store that is down proves nothing, claims nothing, and is known to be down until a claim succeeds")
    func storeIsDown() async throws {
        try await Workbench.run(isClaimed: false) { bench in
            bench.store.inject(.fail(.unreachable(reason: "down")), count: 1)
            await #expect(throws: OwnershipError.store(.unreachable(reason: "down"))) {
                try await bench.claim.claim(deadline: .farAway)
            }
            #expect(!bench.health.isReachable && bench.memory.keys.isEmpty)
            #expect(try bench.catalogue.setting(Setting.claimed) == nil)
            try await bench.claim.verify(deadline: .farAway)
            #expect(bench.health.isReachable && bench.memory.keys.first == Self.marker)
        }
    }

    @Test("A marker that was written while its answer was lost is ours the next time", arguments: [true, false])
    func answerIsLost(isConditional: Bool) async throws {
        try await Workbench.run(isClaimed: false, memory: MemoryStore(isConditional: isConditional)) { bench in
            bench.store.inject(.loseAnswer, on: [.put], keys: .exactly(Self.marker), count: 1)
            if isConditional {
                await #expect(throws: OwnershipError.self) { try await bench.claim.claim(deadline: .farAway) }
            } else {
                bench.store.heal()
            }
            try await bench.claim.claim(deadline: .farAway)
            #expect(bench.memory.keys.filter { EpochList.epoch($0) == nil } == [Self.marker])
        }
    }
}
