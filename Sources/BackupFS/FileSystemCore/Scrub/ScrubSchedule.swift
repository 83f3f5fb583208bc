// The comparison of the bucket with the catalogue (Scrubber.swift) in its own time: a page a second while
// nothing else is to be done, and a page a minute otherwise, so that it comes to its end whatever happens. Where it is goes on
// record: a stop costs a page at most.

import Catalogue
import Foundation
import Logging
import ObjectStorage

/// Has the bucket compared again and again.
final class ScrubSchedule: StorageStep {
    let storages: Storages
    private let scrubber: Scrubber
    private let slots: BackgroundSlots
    private let logger: Logger

    init(scrubber: Scrubber, slots: BackgroundSlots, logger: Logger) {
        storages = scrubber.storages
        self.scrubber = scrubber
        self.slots = slots
        self.logger = logger
    }

    /// How long it rests between two pages, after one that failed, and when none is due.
    private static let pause = Duration.seconds(1)
    private static let pauseWhileBusy = Duration.seconds(60)
    private static let pauseAfterFailure = Duration.seconds(60)
    private static let pauseBetweenLooks = Duration.seconds(600)

    /// What the setting says when the comparison is to begin at once.
    static let atOnce = "now"

    /// Compares what is due until the background is stopped; a mount has other things to do first.
    func run(_ task: Pacemaker) async {
        let isUrgent = try? await catalogue.ask(.setting(Setting.scrub)) == Self.atOnce
        var pause = isUrgent == true ? .zero : min(Self.pauseBetweenLooks, settings.scrubInterval)
        while !task.isStopped {
            await task.sleep(atMost: pause)
            if !task.isStopped { pause = await scrubIfDue() }
        }
    }

    /// Does a page if one is due; returns how long to rest then.
    private func scrubIfDue() async -> Duration {
        guard health.isReachable else { return Self.pauseAfterFailure }
        do throws(FileSystemError) {
            guard var position = try await duePosition() else {
                return min(Self.pauseBetweenLooks, settings.scrubInterval)
            }
            let outcome: Result<[ObjectReport.Finding], FileSystemError> = await Result {
                () async throws(FileSystemError) in try await scrubber.comparePage(&position)
            }
            // What was done before a failure is done.
            try await keep(position)
            _ = try outcome.get()
            return slots.state(width: 1).isBusy ? Self.pauseWhileBusy : Self.pause
        } catch {
            logger.warning(
                "backup storage could not be compared with the catalogue", metadata: ["error": "\(error)"])
            return Self.pauseAfterFailure
        }
    }

    /// Where the comparison goes on, or begins; nil if none is due.
    private func duePosition() async throws(FileSystemError) -> ScrubPosition? {
        guard let known: ScrubPosition = try await scrubSetting(Setting.scrub) else {
            return ScrubPosition(now: Date())
        }
        guard known.isFinished else { return known }
        let age = Date().timeIntervalSince(known.report.startedAt)
        // One in the future was counted by a clock that has gone back.
        let isDue = age < 0 || age >= settings.scrubInterval / .seconds(1)
        return isDue ? ScrubPosition(now: Date()) : nil
    }

    private func keep(_ position: ScrubPosition) async throws(FileSystemError) {
        guard let json = try? JSONEncoder().encode(position) else { return }
        let text = String(decoding: json, as: UTF8.self)
        try await catalogue.changeLater(.processCrash, .set([Setting.scrub: text]))
        if position.isFinished { try await keep(finished: position.report) }
    }

    private func keep(finished report: ObjectReport) async throws(FileSystemError) {
        guard let json = try? JSONEncoder().encode(report) else { return }
        let text = String(decoding: json, as: UTF8.self)
        try await catalogue.changeLater(.processCrash, .set([Setting.scrubReport: text]))
    }

    private func scrubSetting<Value: Decodable & Sendable>(_ key: String) async throws(FileSystemError) -> Value? {
        let text = try await catalogue.ask(.setting(key))
        return text.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) }
    }

    /// How the last comparison came out that was finished; nil if there was none.
    func lastReport() async throws(FileSystemError) -> ObjectReport? {
        try await scrubSetting(Setting.scrubReport)
    }

    func compareAll(
        _ receive: @Sendable ([ObjectReport.Finding]) async throws -> Void
    ) async throws -> ObjectReport {
        var position = ScrubPosition(now: Date())
        while !position.isFinished {
            try Task.checkCancellation()
            let findings = try await scrubber.comparePage(&position)
            if !findings.isEmpty { try await receive(findings) }
        }
        try await keep(position)
        return position.report
    }
}
