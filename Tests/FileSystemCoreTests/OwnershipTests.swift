// A prefix belongs to one catalogue, and a store that is not known to be ours is neither written nor believed.

import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Ownership of the prefix")
struct OwnershipTests {
    private let marker = ".backupfs/catalogue.json"

    @Test("The first mount leaves its marker, and later ones write none")
    func claimedOnce() async throws {
        try await TestFileSystem.run { system in
            #expect(system.memory[marker] != nil)
            let before = system.memory[marker]
            try await system.restart()
            #expect(system.memory[marker] == before)
            #expect(system.memory.count(.put, .exactly(marker)) == 1)
            #expect(try !system.core.isNew)
        }
    }

    @Test("A prefix of another catalogue is refused, and nothing is written to it")
    func anothersPrefix() async throws {
        try await TestFileSystem.run { first in
            try await first.write("a.jpg", photo(1))
            try await first.settle()
            try await TestFileSystem.run(memory: first.memory, mounting: false) { second in
                try await second.openUnstarted()
                await #expect(throws: OwnershipError.belongsToAnother(location: "memory://test")) {
                    try await second.core.claimPrefix(deadline: .now + .seconds(120))
                }
                try second.start()
                let failure = await #expect(throws: FileSystemError.self) {
                    try await second.write("b.jpg", photo(2))
                }
                guard case .backup(.denied(.notOurs, _)) = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                try await #require(throws: FileSystemError.self) { try await second.core.syncJournal() }
                #expect(second.keys == [try first.key("a.jpg")])
                #expect(try second.core.isNew)
            }
        }
    }

    @Test("A prefix whose marker cannot be read is somebody else's")
    func damagedMarker() async throws {
        try await TestFileSystem.run(mounting: false) { system in
            system.memory[marker] = .init(bytes: Array("not JSON".utf8))
            try await system.openUnstarted()
            await #expect(throws: OwnershipError.belongsToAnother(location: "memory://test")) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(system.memory[marker]?.bytes == Array("not JSON".utf8))
        }
    }

    @Test("I8: a store without our marker is refused once files are stored there, and not written")
    func markerIsGone() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            system.memory[marker] = nil
            try await system.openUnstarted()
            await #expect(throws: OwnershipError.markerMissing(location: "memory://test")) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            try system.start()
            await #expect(throws: FileSystemError.self) { try await system.write("b.jpg", photo(2)) }
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.memory[marker] == nil && system.keys.count == 1)
        }
    }

    @Test("I8: a store without our marker says nothing about files: none is recorded as lost")
    func emptyStoreIsNotBelieved() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            let held = system.memory.keys.map { ($0, system.memory[$0]) }
            for (key, _) in held { system.memory[key] = nil }
            try system.lose("a.jpg")
            try await system.openUnstarted()
            try system.start()
            let failure = await #expect(throws: FileSystemError.self) { try await system.read("a.jpg") }
            #expect(failure != .inNoStorage)
            #expect(try system.row("a.jpg")?.inBackup == true)
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
            // The right bucket again.
            for (key, object) in held { system.memory[key] = object }
            #expect(try await system.read("a.jpg") == photo(1))
        }
    }

    @Test("I10: with the store down the file system starts, serves, and heals by itself when it returns")
    func degradedStart() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            await system.stop()
            try await system.openUnstarted { _ = $0.inject(.fail(down)) }
            await #expect(throws: OwnershipError.store(down)) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            try system.start()
            #expect(try await system.core.operatorDesk.status().backup.reachable == false)
            #expect(try await system.read("a.jpg") == photo(1))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("b.jpg", photo(2)) }
            system.store.heal()
            try await system.settle()
            #expect(try system.inBackup("b.jpg") == photo(2))
            #expect(try await system.core.operatorDesk.status().backup.reachable)
        }
    }

    @Test("Closes that find the prefix unclaimed at the same moment claim it once")
    func closesClaimTogether() async throws {
        try await TestFileSystem.run(mounting: false) { system in
            for round in 1...5 {
                try await system.openUnstarted()
                try system.start()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<8 {
                        group.addTask { try await system.write("\(round)-\(index).jpg", photo(index)) }
                    }
                    try await group.waitForAll()
                }
                let claims = system.memory.requests.count {
                    $0.method == .put && $0.key.hasPrefix(".backupfs/epoch/")
                }
                #expect(claims == round)
                await system.stop()
            }
        }
    }

    @Test("A catalogue that never had its store is new, also after the marker's answer was lost")
    func claimAnswerLost() async throws {
        try await TestFileSystem.run(mounting: false) { system in
            try await system.openUnstarted { _ = $0.inject(.loseAnswer, on: [.put], count: 1) }
            #expect(try system.core.isNew)
            await #expect(throws: OwnershipError.self) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(try system.core.isNew)
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            #expect(try !system.core.isNew)
        }
    }

    @Test("A start aborts the uploads that a killed daemon had on record, and no others below the prefix")
    func foreignUploads() async throws {
        try await TestFileSystem.run { system in
            let ours = MultipartUpload(key: "a~1.mp4", id: "1")
            let theirs = MultipartUpload(key: "a~1.mp4", id: "2")
            system.memory.uploads = [ours, theirs]
            try await system.memory.recorder?.began(ours)
            try await system.crash()
            try await system.mount()
            try await system.eventually("the upload on record is gone") { !system.memory.uploads.contains(ours) }
            #expect(system.memory.uploads == [theirs])
            try await system.eventually("it is forgotten") { try await system.memory.recorder?.recorded() == [] }
        }
    }

    @Test("A place inside another catalogue's is refused, and nothing is written to it")
    func insideAnother() async throws {
        let outermost = MemoryStore(location: "memory://a")
        let inner = MemoryStore(location: "memory://a/b/c", inside: MemoryStore(inside: outermost))
        outermost[marker] = .init(bytes: [])
        try await TestFileSystem.run(memory: inner, mounting: false) { system in
            try await system.openUnstarted()
            await #expect(throws: OwnershipError.insideAnother(location: "memory://a/b/c", other: "memory://a")) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(inner.keys == [])
            let refusal = try await PrefixNeighbours.refusal(ofUnclaimed: inner, deadline: .now + .seconds(120))
            #expect(refusal == .insideAnother(location: "memory://a/b/c", other: "memory://a"))
            // What is ours already stays ours, whoever came around it.
            outermost[marker] = nil
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            outermost[marker] = .init(bytes: [])
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
        }
    }

    @Test("A place around another catalogue's is refused, however much else is there", arguments: [0, 2500])
    func aroundAnother(others: Int) async throws {
        let memory = MemoryStore()
        for index in 0..<others { memory["a/\(index)"] = .init(bytes: []) }
        memory["my\(marker)"] = .init(bytes: [])
        memory["shop/x/\(marker)"] = .init(bytes: [])
        try await TestFileSystem.run(memory: memory, mounting: false) { system in
            try await system.openUnstarted()
            let refusal = OwnershipError.aroundAnother(location: "memory://test", other: "memory://test/shop/x")
            await #expect(throws: refusal) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(memory[marker] == nil)
            memory["shop/x/\(marker)"] = nil
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            #expect(memory[marker] != nil)
        }
    }

    @Test("Of two first mounts at the same moment exactly one gets the place", arguments: [true, false])
    func twoClaimants(isConditional: Bool) async throws {
        for _ in 0..<25 {
            let memory = MemoryStore(isConditional: isConditional)
            try await TestFileSystem.run(memory: memory, mounting: false) { first in
                try await TestFileSystem.run(memory: memory, mounting: false) { second in
                    for system in [first, second] { try await system.openUnstarted() }
                    let cores = [first.core, second.core]
                    let wins = await withTaskGroup(of: Bool.self) { group in
                        for core in cores {
                            group.addTask {
                                (try? await core.claimPrefix(deadline: .now + .seconds(120))) != nil
                            }
                        }
                        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                    }
                    #expect(wins == 1)
                    let epochs = memory.keys.compactMap { EpochList.epoch($0) }
                    #expect(memory.keys.first == marker && epochs.count == 1 && memory.keys.count == 2)
                }
            }
        }
    }

    @Test("A claim that a dead mount left is in the way only until its object is removed")
    func deadClaim() async throws {
        let memory = MemoryStore(isConditional: false)
        memory[".backupfs/claim/!"] = .init(bytes: [])
        try await TestFileSystem.run(memory: memory, mounting: false) { system in
            try await system.openUnstarted()
            await #expect(
                throws: OwnershipError.beingClaimed(location: "memory://test", key: ".backupfs/claim/!")
            ) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(memory.keys == [".backupfs/claim/!"])
            memory[".backupfs/claim/!"] = nil
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            #expect(memory.keys.filter { EpochList.epoch($0) == nil } == [marker])
        }
    }

    @Test("I9: a catalogue that is older than the journal in its prefix is refused, and nothing is written")
    func olderCatalogue() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.core.syncJournal()
            await system.stop()
            try await system.openUnstarted()
            try await system.core.claimPrefix(deadline: .now + .seconds(120))
            // A copy from before the first segment.
            try system.core.catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                for key in [Setting.journal, Setting.journalBegun] { try writer.set(key, to: "0") }
            }
            let keys = system.memory.keys
            await #expect(throws: OwnershipError.catalogueIsOlder(location: "memory://test")) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(system.memory.keys == keys)
        }
    }
}
