import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What is known of the store's health")
struct StoreHealthTests {
    private let down = ObjectStoreError.unreachable(reason: "down")

    @Test("When an outage is over, all that has failed is due at once, however much it is")
    func failuresAreDue() async throws {
        try await Workbench.run { bench in
            let later = currentTime() + 3_000_000_000_000
            let count = StoreHealth.rowsAtOnce + 5
            for index in 0..<count {
                let row = try bench.makeRow("f\(index)")
                try bench.catalogue.change(.processCrash, .needsUpload(row.id, due: 0))
                try bench.catalogue.change(
                    .processCrash, .noteUploadFailure(row.id, error: "down", now: 0) { _ in later })
            }
            #expect(try bench.catalogue.dueResources(now: later - 1, limit: count).isEmpty)
            bench.health.note(down)
            try bench.commitRecords()
            #expect(try bench.catalogue.dueResources(now: later - 1, limit: count).isEmpty)
            bench.health.note(nil)
            // Some at a time, each of them recorded when the one before it is committed.
            let deadline = ContinuousClock.now + .seconds(120)
            while try bench.catalogue.dueResources(now: currentTime(), limit: count).count < count {
                try #require(ContinuousClock.now < deadline)
                try bench.commitRecords()
            }
        }
    }

    @Test("An outage is known when a request has given up, and over with the next answer, also one that says no")
    func outage() async throws {
        try await Workbench.run { bench in
            let health = bench.health
            health.note(.deadlineExceeded(reason: "slow"))
            #expect(!health.isReachable && health.outage == nil)
            health.note(down)
            #expect(!health.isReachable && health.outage == down && health.lastError == "\(down)")
            health.note(.denied(.notOurs, message: ""))
            #expect(!health.isReachable && health.outage == down)
            health.note(.notFound(key: "a"))
            #expect(health.isReachable && health.outage == nil && health.lastError != nil)
            // No part of the file system is needed for that.
            try bench.commitRecords()
        }
    }

    @Test("What is said of one object says nothing of the store")
    func ofOneObject() async throws {
        try await Workbench.run { bench in
            let errors: [ObjectStoreError] = [
                .notFound(key: "a"), .full(message: ""), .corrupted(key: "a", reason: ""), .contentChanged(key: "a"),
                .rejected(.entityTooLarge, message: ""), .localFile(errno: 5),
            ]
            for error in errors {
                bench.health.note(error)
                #expect(bench.health.isReachable, "\(error)")
            }
            try bench.commitRecords()
        }
    }

    @Test("A new outage wakes the background: somebody has to ask for its end")
    func wakes() async throws {
        try await Workbench.run { bench in
            bench.health.note(down)
            let before = ContinuousClock.now
            await bench.catalogue.work.uploads.sleep(atMost: .seconds(130))
            #expect(.now - before < .seconds(130))
            try bench.commitRecords()
        }
    }

    @Test("While the store is down nothing waits long, and it is the store that is left alone")
    func delays() async throws {
        try await Workbench.run { bench in
            let delays = (0..<200).map { _ in bench.health.delay(attempts: 10) }
            #expect(delays.allSatisfy { $0 >= 7_500_000_000 && $0 <= 15_000_000_000 })
            bench.health.note(down)
            let short = (0..<200).map { _ in bench.health.delay(attempts: 10) }
            #expect(short.allSatisfy { $0 <= 2_000_000_000 })
            let task = Pacemaker()
            let before = ContinuousClock.now
            await bench.health.rest(task)
            #expect(.now - before >= .milliseconds(500))
            bench.health.note(nil)
            try bench.commitRecords()
        }
    }
}
