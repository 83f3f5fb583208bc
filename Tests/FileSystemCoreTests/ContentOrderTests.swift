// Every order in which those who work on one file can take their steps. Worlds that are alike are looked at once, so that all
// orders are covered however many they are.
//
// Each guard of Content.swift was taken out alone, and each time an order was found that breaks a promise:
//
// | Taken out | What an order then does |
// |---|---|
// | `!isLoaded` in load | an open takes in a row that it has read too early, and the mark is forgotten (I2) |
// | `isAhead` in load | a new file passes for backed up (I1); if all pass for ahead, their rows do not know it (I2) |
// | `trust > .none` in trustedCopy | a truncation believes a copy that was emptied behind the mount (I1) |
// | `!needsUpload` in comparison | a change that is not backed up yet is dropped as damage (I1) |
// | `isQuiet` in comparison | a write that an upload has just not read is dropped as damage (I1) |
// | `mapping` in comparison | what was written through a mapping is dropped as damage (I1): PassthroughTests shows it |
// | `comparison` in mustCompare, needsNoVerification | somebody waits for a comparison that nobody can make |
// | `trust` in mustCompare, needsNoVerification | what was just compared is to be compared again, for ever |
// | `copy` in isReadyForChange | a write goes nowhere (I1) |
// | `!mustCompare` in isReadyForChange | damage is backed up (I3) |
// | `writers` in isForBackground | the background does a writer's work |
// | `needsUpload` in isForBackground | the background is handed what is backed up |
// | `self.copy == nil` in offer | a late open puts an old copy in the place of the file's (I1) |
// | `changes` in copyRefuted | a change since the comparison is dropped as damage (I1) |
// | `!isMarked` in writeBegins | main is ahead, and the row does not know it (I2) |
// | `changes` or `isQuiet` in uploadCommitting | the row loses its mark while main is ahead (I2) |
// | `changes` or `isQuiet` in changeLosing | a change that main has is given up (I2) |
// | `max` in uploadNotNeeded | what was given up is wanted again, and the row does not know it (I2) |

import Catalogue
import Foundation
import Testing

@testable import FileSystemCore

/// All orders from one beginning.
private struct Orders {
    let actors: [ContentActor]
    private(set) var worlds = 0
    private var known: [ContentWorld: Double] = [:]

    init(_ actors: [ContentActor]) { self.actors = actors }

    /// How many orders lead from `world` to an end; throws what is wrong with one, and how it came about.
    mutating func explore(_ world: ContentWorld) throws -> Double {
        if let count = known[world] { return count }
        worlds += 1
        try world.check()
        var count = 0.0
        for (me, actor) in actors.enumerated() {
            for next in try actor.next(world, me) {
                do {
                    count += try explore(next)
                } catch let broken as BrokenPromise {
                    throw BrokenPromise(
                        description: "\(broken.description)\n  after \(actor) at step \(world.hands[me].step)")
                }
            }
        }
        if count == 0 {
            try world.checkEnd()
            count = 1
        }
        known[world] = count
        return count
    }
}

@Suite("A file's content in every order")
struct ContentOrderTests {
    /// How a file may be when somebody comes to it.
    enum Beginning: CaseIterable {
        /// Main and backup have it, and nobody has compared them.
        case unverified
        /// Main and backup have it, and nobody has it open.
        case closed
        /// Main's copy has rotten since it was backed up.
        case damaged
        /// Somebody has emptied main's copy behind the mount.
        case cut
        /// Main has lost it.
        case missing
        /// Main has lost it, and with it a change that backup lacks.
        case missingChange
        /// It was made just now, and no backup has it.
        case new

        func world(_ actors: Int) -> ContentWorld {
            var world = ContentWorld(actors: actors)
            let isAhead = self == .missingChange
            if self != .new {
                world.version = TestBytes(.old)
                world.content.load(isAhead: isAhead, isMarked: isAhead, isInBackup: true)
                world.isMarked = isAhead
            } else {
                world.content.load(isAhead: true, isMarked: true, isInBackup: false)
                world.isMarked = true
            }
            switch self {
            case .missing, .missingChange: break
            case .closed:
                world.named = 0
                world.bytes[0] = TestBytes(.old)
            case .new:
                world.named = 0
                world.content.offer(ContentWorld.copies[0], .compared)
            case .unverified, .damaged, .cut:
                world.named = 0
                world.bytes[0] = TestBytes(self == .damaged ? .damage : self == .cut ? [.damage, .emptying] : .old)
                world.content.offer(ContentWorld.copies[0], .none)
            }
            return world
        }
    }

    private static let companies: [[ContentActor]] = [
        [.writer(.one), .writer(.two), .upload],
        [.writer(.one), .writer(.two), .upload, .recovery],
        [.writer(.one), .writer(.two), .upload, .verification],
        [.writer(.one), .writer(.two), .upload, .unlink],
        [.writer(.one), .upload, .recovery, .truncation],
        [.writer(.one), .upload, .verification, .truncation],
        [.writer(.one), .upload, .recovery, .verification, .unlink],
        [.writer(.one), .upload, .recovery, .verification, .opening],
        [.upload, .opening, .truncation],
        [.upload, .opening],
    ]

    /// Who comes to a copy that was emptied behind the mount: to the others it is one that has rotten.
    private static let cutters: [[ContentActor]] = [[.upload, .verification, .opening, .truncation]]

    /// Whether the companies that take minutes are tried, too.
    private static let isLong = ProcessInfo.processInfo.environment["BACKUPFS_TEST_ALL_ORDERS"] != nil

    private static let more: [[ContentActor]] = [
        [.writer(.one), .writer(.two), .upload, .truncation],
        [.writer(.one), .upload, .opening, .truncation],
        [.writer(.one), .upload, .recovery, .verification, .truncation],
    ]

    @Test(
        "Nothing is taken for backed up that is not, nothing is forgotten, and nothing comes back",
        arguments: Beginning.allCases)
    func allOrders(_ beginning: Beginning) async throws {
        // On a thread of its own: other tests need those of the pool.
        let outcome = await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: Result { try Self.explore(beginning) }) }
            thread.qualityOfService = .background
            thread.stackSize = 64 << 20
            thread.start()
        }
        #expect(try outcome.get() > 1000)
    }

    /// How many worlds there are.
    private static func explore(_ beginning: Beginning) throws -> Int {
        let clock = ContinuousClock()
        var (orders, worlds) = (0.0, 0)
        let time = try clock.measure {
            let usual = beginning == .cut ? Self.cutters : Self.companies
            for company in usual + (Self.isLong ? Self.more : []) {
                var explored = Orders(company)
                orders += try explored.explore(beginning.world(company.count))
                worlds += explored.worlds
            }
        }
        print("content, \(beginning): \(orders) orders through \(worlds) worlds in \(time)")
        return worlds
    }
}
