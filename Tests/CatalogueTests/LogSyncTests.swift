// The log's way to the disk.

import Foundation
import GRDB
import Glibc
import Synchronization
import Testing

@testable import Catalogue

@Suite("Syncing the log")
struct LogSyncTests {
    @Test("I13: after one sync that failed nothing durable succeeds, though the next sync would")
    func failure() async throws {
        let temporary = try TemporaryCatalogue()
        let calls = Mutex(0)
        let log = LogSync(directory: temporary.descriptor, log: "catalogue.sqlite-wal") { _ in
            let call = calls.withLock { calls in
                calls += 1
                return calls
            }
            guard call == 2 else { return 0 }
            errno = EIO
            return -1
        }
        func wait() async -> CatalogueError? {
            await withCheckedContinuation { continuation in log.whenDone { continuation.resume(returning: $0) } }
        }
        #expect(await wait() == nil)
        let told = try #require(await wait())
        #expect("\(told)".contains("Input/output error") && "\(told)".contains("mount again"))
        // What the failed sync was to bring to the disk is not there, whatever a later one says.
        #expect(await wait() == told)
        #expect(calls.withLock { $0 } == 2)
    }

    @Test(
        "I5: what nobody waits for is on the disk within a second, many commits with one sync, and nothing is synced twice"
    )
    func soon() async throws {
        let temporary = try TemporaryCatalogue()
        let calls = Mutex(0)
        let log = LogSync(directory: temporary.descriptor, log: "catalogue.sqlite-wal") { _ in
            calls.withLock { $0 += 1 }
            return 0
        }
        for _ in 0..<100 { log.becomesDurableSoon() }
        #expect(calls.withLock { $0 } == 0)
        let end = ContinuousClock.now + .seconds(60)
        while calls.withLock({ $0 }) == 0, .now < end { try await Task.sleep(for: .milliseconds(10)) }
        // The next one is synced by somebody who waits, so that nothing is left when the time has come.
        log.becomesDurableSoon()
        _ = await withCheckedContinuation { continuation in log.whenDone { continuation.resume(returning: $0) } }
        try await Task.sleep(for: .milliseconds(1500))
        #expect(calls.withLock { $0 } == 2)
    }

    @Test("Everybody who waits at the same time is served by one sync")
    func shared() async throws {
        let temporary = try TemporaryCatalogue()
        let calls = Mutex(0)
        let gate = DispatchSemaphore(value: 0)
        let log = LogSync(directory: temporary.descriptor, log: "catalogue.sqlite-wal") { _ in
            calls.withLock { $0 += 1 }
            gate.wait()
            return 0
        }
        let done = DispatchGroup()
        for _ in 0..<20 {
            done.enter()
            log.whenDone { _ in done.leave() }
        }
        // The first one's, and one for all the others.
        for _ in 0..<2 { gate.signal() }
        await withCheckedContinuation { continuation in
            done.notify(queue: .global()) { continuation.resume() }
        }
        #expect(calls.withLock { $0 } <= 2)
    }

    @Test("What a run that was killed left in the log is written back at the next start")
    func emptied() throws {
        let temporary = try TemporaryCatalogue()
        for index in 0..<50 { try temporary.create("\(index)") }
        let log = temporary.directory.path + "/catalogue.sqlite-wal"
        var status = stat()
        #expect(stat(log, &status) == 0 && status.st_size > 0)
        let next = try SQLiteCatalogue(directory: temporary.descriptor)
        #expect(stat(log, &status) == 0 && status.st_size == 0)
        try next.close()
    }

    @Test("No transaction spills into files outside the catalogue's directory")
    func temporaryFiles() throws {
        let temporary = try TemporaryCatalogue()
        let store = try temporary.catalogue.pool.read { try Int.fetchOne($0, sql: "PRAGMA temp_store") }
        let writer = try temporary.catalogue.pool.write { try Int.fetchOne($0, sql: "PRAGMA temp_store") }
        #expect(store == 2 && writer == 2)
    }
}
