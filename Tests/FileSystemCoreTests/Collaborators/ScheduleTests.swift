import Catalogue
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("The pace of the background")
struct ScheduleTests {
    private let anHour = Duration.seconds(3600)

    @Test("A wake that comes before the sleep is not lost, and is good for one sleep")
    func wakeFirst() async {
        let task = Pacemaker()
        task.wake()
        task.wake()
        await task.sleep(atMost: anHour)
        let before = ContinuousClock.now
        await task.sleep(atMost: .milliseconds(50))
        #expect(.now - before >= .milliseconds(50))
    }

    @Test("A stop wakes the sleeper, waits for what it is doing, and says whether that took too long")
    func stop() async {
        let (task, gate) = (Pacemaker(), Gate())
        let hour = anHour
        let store = FaultyStore(MemoryStore())
        store.inject(.hold(gate), on: [.check])
        task.run {
            while !task.isStopped { await task.sleep(atMost: hour) }
            try? await store.check(deadline: .farAway)
        }
        let isQuiet = await task.stop(until: .atOnce)
        #expect(!isQuiet && task.isStopped)
        gate.open()
        let isQuietThen = await task.stop(until: .farAway)
        #expect(isQuietThen)
        await task.sleep(atMost: hour)
    }

    @Test("A rest is not cut short by a wake, and ends when it is not needed any more")
    func rest() async {
        let task = Pacemaker()
        task.wake()
        let end = ContinuousClock.now + .milliseconds(50)
        await task.sleep(until: end) { true }
        #expect(.now >= end)
        await task.sleep(until: .now + anHour) { false }
    }

    @Test("Slots: no more than the width, no resource twice, and slow work gets half of them at most")
    func slots() {
        let slots = BackgroundSlots()
        func items(_ numbers: ClosedRange<Int64>, isSlow: Bool) -> [BackgroundSlots.Item] {
            numbers.map { .init(id: ResourceID($0), isSlow: isSlow) }
        }
        #expect(slots.take(items(1...9, isSlow: true), width: 4) == [ResourceID(1), ResourceID(2)])
        #expect(slots.take(items(1...9, isSlow: true), width: 4).isEmpty)
        #expect(slots.state(width: 4) == (true, false))
        #expect(slots.take(items(2...9, isSlow: false), width: 4) == [ResourceID(3), ResourceID(4)])
        #expect(slots.state(width: 4) == (true, true))
        slots.free(ResourceID(1))
        #expect(slots.take(items(1...9, isSlow: true), width: 4) == [ResourceID(1)])
        for number in Int64(1)...4 { slots.free(ResourceID(number)) }
        #expect(slots.state(width: 1) == (false, false))
        // With one slot in all slow work is done, too.
        #expect(slots.take(items(1...2, isSlow: true), width: 1) == [ResourceID(1)])
    }

    @Test("Delays grow to 15 seconds; after a refusal it is a minute to an hour")
    func delays() {
        for attempts in 0...100 {
            let seconds = Double(RetryDelay.next(attempts: attempts)) / 1e9
            #expect(seconds >= min(7.5, 0.25 * Double(1 << min(attempts, 6))) && seconds <= 15)
            let refused = RetryDelay.afterRefusal(attempts: attempts) / 1_000_000_000
            #expect(refused >= 60 && refused <= 3600)
        }
        #expect(RetryDelay.next(attempts: 0) <= 500_000_000)
    }

    @Test("The scheduler has done what is due, also what somebody records later; after its stop nothing is done")
    func scheduler() async throws {
        try await Workbench.run { bench in
            let scheduler = bench.scheduler()
            let early = try bench.newFile("early", photo(1))
            bench.files.release(early)
            try bench.catalogue.change(.processCrash, .makeUploadDue(early.id, now: currentTime()))
            let stored = try await bench.storedFile("gone", photo(2))
            scheduler.start()
            let late = try bench.newFile("late", photo(3))
            bench.files.release(late)
            bench.catalogue.recordWork("test", .makeUploadDue(late.id, now: currentTime()))
            try bench.deleteRow("gone")
            bench.catalogue.work.wake()
            let deadline = ContinuousClock.now + .seconds(120)
            while try bench.objects.count != 2 || bench.row(stored.id).inBackup || bench.row(stored.id).inMain {
                try #require(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try bench.row(early.id).inBackup && bench.row(late.id).inBackup)
            let isQuiet = await scheduler.stop(until: .farAway)
            #expect(isQuiet)
            bench.memory.forgetRequests()
            let never = try bench.newFile("never", photo(4))
            bench.catalogue.recordWork("test", .makeUploadDue(never.id, now: currentTime()))
            try bench.commitRecords()
            let isQuietStill = await scheduler.stop(until: .farAway)
            #expect(isQuietStill && bench.memory.requests.isEmpty)
        }
    }

    @Test(
        "What is due later than an hour from now is due within the hour: a clock that went back puts nothing to sleep")
    func clamped() async throws {
        try await Workbench.run { bench in
            let row = try bench.makeRow("a")
            let scheduler = bench.scheduler()
            try bench.catalogue.change(.processCrash, .needsUpload(row.id, due: currentTime() + 86_400_000_000_000))
            scheduler.clampDueTimes()
            let due = try #require(try bench.due(row.id))
            #expect(due <= currentTime() + RetryDelay.longest)
        }
    }
}

extension Workbench {
    /// The background of these parts, not started.
    fileprivate func scheduler() -> Scheduler {
        let slots = BackgroundSlots()
        let scrubber = Scrubber(storages: uploader.storages, claim: claim, logger: logger)
        return Scheduler(
            uploads: DueUploads(
                uploader: uploader, remover: remover, claim: claim, slots: slots, counters: counters, logger: logger),
            removals: DueRemovals(catalogue: catalogue, remover: remover, health: health, counters: counters),
            journal: journal, compactor: compactor,
            scrub: ScrubSchedule(scrubber: scrubber, slots: slots, logger: logger), tree: tree, intents: intents,
            logger: logger)
    }
}
