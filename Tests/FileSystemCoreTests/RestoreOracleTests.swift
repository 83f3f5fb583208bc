// Random work, the line to the bucket cut at any request, the daemon killed, MAIN destroyed: what is restored is what was
// acknowledged. BACKUPFS_TEST_SEEDS says how many times; 40 if it does not.

import Foundation
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

/// What a program did, as far as it was told that it succeeded.
private struct Oracle {
    /// Each path's kind, and what identifies its content; one entry for each moment that there was.
    var moments: [[String: String]] = [[:]]
    /// The bytes of each file, by its path now, whose close returned.
    var acknowledged: [String: [UInt8]] = [:]
    /// Contents that were deleted or replaced before the journal was known to have told that.
    var told: Set<[UInt8]> = []
    var dropped: [[UInt8]] = []

    mutating func note(_ system: TestFileSystem) throws { moments.append(try system.paths(withNumbers: true)) }

    mutating func drop(_ path: String) {
        if let bytes = acknowledged.removeValue(forKey: path) { dropped.append(bytes) }
    }
}

@Suite("The oracle of restores")
struct RestoreOracleTests {
    private static let seeds = ProcessInfo.processInfo.environment["BACKUPFS_TEST_SEEDS"].flatMap { Int($0) } ?? 40

    @Test("I9: every file whose close returned has its bytes, names are those of one moment, nothing told comes back")
    func oracle() async throws {
        var found = (files: 0, adopted: 0, moments: 0)
        // Most of the time they wait.
        for start in stride(from: 0, to: Self.seeds, by: 20) {
            try await withThrowingTaskGroup(of: (files: Int, adopted: Int, behind: Int).self) { group in
                for seed in start..<min(start + 20, Self.seeds) { group.addTask { try await run(UInt64(seed)) } }
                for try await (files, adopted, behind) in group {
                    found.files += files
                    found.adopted += adopted
                    found.moments += behind
                }
            }
        }
        print(
            "restore oracle: \(Self.seeds) seeds, \(found.files) files, of them \(found.adopted) that no segment told, "
                + "\(found.moments) times names from before the end")
        #expect(found.adopted > 0 && found.moments > 0)
    }

    private func run(_ seed: UInt64) async throws -> (files: Int, adopted: Int, behind: Int) {
        var random = SeededGenerator(seed: seed)
        var outcome = (files: 0, adopted: 0, behind: 0)
        try await TestFileSystem.run(closeTimeout: .milliseconds(100)) { system in
            var oracle = Oracle()
            try oracle.note(system)
            // The line is cut at some request, of whatever kind.
            system.store.inject(.fail(down), after: Int.random(in: 0..<120, using: &random))
            for step in 0..<Int.random(in: 8..<30, using: &random) {
                await work(system, &oracle, step, &random)
                try oracle.note(system)
                if Int.random(in: 0..<6, using: &random) == 0, (try? await system.core.syncJournal()) != nil {
                    oracle.told.formUnion(oracle.dropped)
                }
            }
            try await system.crash()
            try await TestFileSystem.run(memory: system.memory, mounting: false) { restored in
                try await restored.restore { $0.takesOver = true }
                try await restored.openUnstarted()
                let names = try restored.paths(withNumbers: true)
                let moment = oracle.moments.lastIndex(of: names)
                #expect(moment != nil, "seed \(seed): \(names) was never; the last was \(oracle.moments.last ?? [:])")
                if let moment, moment < oracle.moments.count - 1 { outcome.behind += 1 }
                try await restored.core.claimPrefix(deadline: .now + .seconds(120))
                try restored.start()
                try await restored.swept()
                outcome.files += oracle.acknowledged.count
                outcome.adopted += try await check(restored, oracle, names, seed)
            }
        }
        return outcome
    }

    /// How many files came back that no segment told.
    private func check(
        _ restored: TestFileSystem, _ oracle: Oracle, _ names: [String: String], _ seed: UInt64
    ) async throws -> Int {
        var contents: [String: [UInt8]] = [:]
        let all = try restored.paths(withNumbers: true)
        for (path, what) in all where what.hasPrefix("file") {
            contents[path] = try? await restored.read(path)
            #expect(contents[path] != nil, "seed \(seed): \(path) cannot be read")
        }
        let held = Set(contents.values)
        for (path, bytes) in oracle.acknowledged {
            #expect(held.contains(bytes), "seed \(seed): \(path) is lost; there are \(all.keys.sorted())")
            if names[path] != nil, oracle.moments.last?[path] == names[path] {
                #expect(contents[path] == bytes, "seed \(seed): \(path) has other bytes")
            }
        }
        for bytes in oracle.told where !oracle.acknowledged.values.contains(bytes) {
            #expect(!held.contains(bytes), "seed \(seed): something deleted is back")
        }
        return all.count - names.count
    }

    private func pick<Item>(_ items: [Item], _ random: inout SeededGenerator) -> Item {
        items[Int.random(in: items.indices, using: &random)]
    }

    /// One deed of a program, which may fail.
    private func work(
        _ system: TestFileSystem, _ oracle: inout Oracle, _ step: Int, _ random: inout SeededGenerator
    ) async {
        let directories = ["", "x/", "y/", "x/z/"]
        func place() -> String {
            pick(directories, &random) + "f\(Int.random(in: 0..<4, using: &random))"
        }
        let path = place()
        let there = (try? system.paths()) ?? [:]
        func isPlace(_ path: String) -> Bool {
            let directory = path.split(separator: "/").dropLast().joined(separator: "/")
            return directory.isEmpty || there[directory] != nil
        }
        guard isPlace(path) else { return }
        switch Int.random(in: 0..<10, using: &random) {
        case 0...4:
            let number = Int.random(in: 0..<997, using: &random)
            let bytes = photo(step &* 1000 &+ number, size: Int.random(in: 1..<3000, using: &random))
            let before = oracle.acknowledged[path]
            do {
                try await system.write(path, bytes)
                if let before { oracle.dropped.append(before) }
                oracle.acknowledged[path] = bytes
            } catch {
                // Whatever it is now, nobody was told.
                oracle.acknowledged[path] = nil
            }
        case 5:
            if (try? system.remove(path)) != nil { oracle.drop(path) }
        case 6:
            let other = place()
            if other != path, isPlace(other), (try? system.rename(path, other)) != nil {
                oracle.drop(other)
                oracle.acknowledged[other] = oracle.acknowledged.removeValue(forKey: path)
            }
        case 7:
            let directory = String(pick(directories, &random).dropLast())
            if isPlace(directory) { _ = try? system.makeDirectory(directory) }
        case 8:
            let name = "l\(step)"
            _ = try? system.core.makeNode(
                .symlink, Dentry(.root, Array(name.utf8)),
                NewAttributes(mode: 0o777, uid: 0, gid: 0, target: Array("to \(step)".utf8)))
        default:
            if there[path] != nil, let id = try? system.id(path) {
                let mode: UInt32 = pick([0o600, 0o644, 0o640], &random)
                _ = try? system.core.setAttributes(id, AttributeChanges(mode: mode))
            }
        }
    }
}
