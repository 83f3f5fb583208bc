// One wait is used wherever something may last too long: for an upload, for a store that is down, for the next piece of
// background work. These are the ways it ends.

import Testing

@testable import Linux

@Suite struct DeadlineTests {
    /// Longer than any test runs.
    private static var far: ContinuousClock.Instant { .now + .seconds(3600) }

    private func wait(
        for shot: OneShot<String>, until deadline: ContinuousClock.Instant, heedsCancellation: Bool = true
    ) async -> String {
        await shot.value(until: deadline, heedsCancellation: heedsCancellation) { "\($0)" }
    }

    @Test func returnsWhatIsDecidedMeanwhile() async {
        let shot = OneShot<String>()
        async let value = wait(for: shot, until: Self.far)
        try? await Task.sleep(for: .milliseconds(20))
        #expect(shot.decide("done"))
        #expect(await value == "done")
    }

    @Test func returnsWhatWasDecidedBefore() async {
        let shot = OneShot<String>()
        shot.decide("done")
        #expect(await wait(for: shot, until: Self.far) == "done")
    }

    @Test func prefersAValueToADeadlineThatHasPassed() async {
        let shot = OneShot<String>()
        shot.decide("done")
        #expect(await wait(for: shot, until: .now - .seconds(1)) == "done")
    }

    @Test func endsAtTheDeadline() async {
        let shot = OneShot<String>()
        let start = ContinuousClock.now
        #expect(await wait(for: shot, until: start + .milliseconds(50)) == "deadline")
        #expect(start.duration(to: .now) >= .milliseconds(50))
        #expect(!shot.decide("too late"))
    }

    @Test func endsAtOnceIfTheDeadlineHasPassed() async {
        #expect(await wait(for: OneShot(), until: .now - .seconds(1)) == "deadline")
    }

    @Test func endsWhenTheTaskIsCancelled() async {
        let shot = OneShot<String>()
        let task = Task { await wait(for: shot, until: Self.far) }
        try? await Task.sleep(for: .milliseconds(20))
        task.cancel()
        #expect(await task.value == "cancelled")
    }

    @Test func endsIfTheTaskWasCancelledBefore() async {
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await wait(for: OneShot(), until: Self.far)
        }
        task.cancel()
        #expect(await task.value == "cancelled")
    }

    @Test func goesOnWithoutHeedingCancellation() async {
        let shot = OneShot<String>()
        let task = Task { await wait(for: shot, until: Self.far, heedsCancellation: false) }
        task.cancel()
        try? await Task.sleep(for: .milliseconds(20))
        #expect(shot.decide("done"))
        #expect(await task.value == "done")
    }

    @Test func tellsOnlyTheFirstThatItDecided() async {
        let shot = OneShot<Int>()
        let winners = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<50 { group.addTask { shot.decide(number) } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(winners == 1)
        #expect((0..<50).contains(await shot.value()))
    }
}
