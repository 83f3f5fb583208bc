// Inputs that nobody thought of: valid ones, changed at random. The seed makes a run happen again.

import Foundation
import TestSupport

/// Random changes of valid inputs.
struct Mutations {
    /// What was chosen by BACKUPFS_TEST_SEED, or by chance.
    static let seed: UInt64 =
        ProcessInfo.processInfo.environment["BACKUPFS_TEST_SEED"].flatMap(UInt64.init)
        ?? UInt64.random(in: 0..<1_000_000)

    /// How many inputs each parser gets; BACKUPFS_TEST_MUTATIONS sets it.
    static let count = ProcessInfo.processInfo.environment["BACKUPFS_TEST_MUTATIONS"].flatMap(Int.init) ?? 20_000

    /// Calls `body` with `count` inputs, each made of one or two of `samples` by a few changes.
    ///
    /// `tokens` are what the format is made of: they are put in more often than random bytes.
    static func each(_ samples: [String], tokens: [String], _ body: ([UInt8]) -> Void) {
        print("BACKUPFS_TEST_SEED=\(seed)")
        var mutations = Mutations(samples: samples, tokens: tokens, seed: seed)
        for _ in 0..<count { body(mutations.next()) }
    }

    private let samples: [[UInt8]]
    private let tokens: [[UInt8]]
    private var generator: SeededGenerator

    private init(samples: [String], tokens: [String], seed: UInt64) {
        self.samples = samples.map { Array($0.utf8) }
        self.tokens = tokens.map { Array($0.utf8) }
        generator = SeededGenerator(seed: seed)
    }

    private mutating func next() -> [UInt8] {
        var bytes = samples[random(samples.count)]
        for _ in 0..<(1 + random(6)) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let at = random(bytes.count + 1)
        let end = min(bytes.count, at + 1 + random(random(4) == 0 ? 200 : 8))
        switch random(8) {
        case 0: bytes.replaceSubrange(at..<end, with: [])
        case 1: bytes.insert(contentsOf: bytes[at..<end], at: at)
        case 2: bytes.insert(contentsOf: tokens[random(tokens.count)], at: at)
        case 3: bytes.replaceSubrange(at..<end, with: tokens[random(tokens.count)])
        case 4: bytes.insert(UInt8(random(256)), at: at)
        case 5: if at < bytes.count { bytes[at] ^= 1 << UInt8(random(8)) }
        case 6:
            let other = samples[random(samples.count)]
            bytes.replaceSubrange(at..., with: other[random(other.count + 1)...])
        default:
            // Numbers at their limits, and deep nesting.
            let token = tokens[random(tokens.count)]
            bytes.insert(contentsOf: repeatElement(token, count: 1 + random(40)).joined(), at: at)
        }
    }

    /// From 0 to below `limit`.
    private mutating func random(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &generator) }
}
