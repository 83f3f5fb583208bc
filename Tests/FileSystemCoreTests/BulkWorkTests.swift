// Work that takes as long as files are long, and work that is slow: neither keeps others from going on.

import Foundation
import Glibc
import Linux
import ObjectStorage
import TestSupport
import Testing

@testable import Catalogue
@testable import FileSystemCore

@Suite("Slow work stops nobody")
struct BulkWorkTests {
    @Test("With twenty sparse files of a terabyte on their way, a small and a large file are backed up")
    func sparseGiants() async throws {
        try await TestFileSystem.run { system in
            let core = system.core
            var giants: [FileSystemCore.FileHandle] = []
            for index in 0..<20 {
                let handle = try system.create("giant \(index)")
                try core.truncateOpen(handle, to: 1 << 40)
                giants.append(handle)
            }
            let closes = giants.map { handle in Task { try await core.flush(handle) } }
            try await system.write("small.jpg", photo(1))
            try await system.write("large.bin", [UInt8](repeating: 7, count: 5_000_000))
            #expect(try system.inBackup("small.jpg") == photo(1))
            #expect(try system.inBackup("large.bin")?.count == 5_000_000)
            // Nobody waits for the end of the giants: a stop ends their reading.
            _ = await core.lifecycle.scheduler.stop(until: .now)
            for close in closes { await #expect(throws: FileSystemError.self) { try await close.value } }
            for handle in giants { core.close(handle) }
        }
    }

    @Test("The digests of a file with holes are those of its bytes, whatever the turns")
    func holes() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "holes-\(UUID())").path
        let file = Descriptor(open(path, O_RDWR | O_CREAT, 0o600))
        unlink(path)
        let length: Int64 = 40 << 20
        #expect(ftruncate(file.number, off_t(length)) == 0)
        let bytes = photo(1, size: 100_000)
        for offset in [0, 9_000_000, 17 << 20, Int(length) - bytes.count] {
            #expect(pwrite(file.number, bytes, bytes.count, off_t(offset)) == bytes.count)
        }
        var content = try LocalFile(file.number).contents(length: length)
        let expected = ContentDigests(of: content)
        let pass = DigestPass(ofFile: file.number, length: length, .whole)
        var found: ContentDigests?
        var turns = 0
        while found == nil {
            found = try pass.advance(bytes: 3 << 20)
            turns += 1
        }
        #expect(found == expected && turns > 10)
        content.removeAll()
    }

    @Test("What backup storage cannot take is refused by its size, unread")
    func tooLarge() async throws {
        try await TestFileSystem.run { system in
            system.store.takes(atMost: 1 << 42)
            let handle = try system.create("giant")
            try system.core.truncateOpen(handle, to: 1 << 43)
            await #expect(throws: FileSystemError.self) { try await system.core.flush(handle) }
            try system.commitRecords()
            #expect(try system.row("giant")?.lastError?.contains("bytes, and backup storage takes") == true)
            #expect(system.uploads.isEmpty)
            system.core.close(handle)
        }
    }

    @Test("Slow work takes at most half of the slots, and a slot that is free is filled")
    func slots() {
        func item(_ number: Int64, _ isSlow: Bool) -> BackgroundSlots.Item {
            .init(id: ResourceID(number), isSlow: isSlow)
        }
        let slots = BackgroundSlots()
        let slow = (1...10).map { item($0, true) }
        #expect(slots.take(slow, width: 4).map(\.rawValue) == [1, 2])
        #expect(slots.take(slow + [item(11, false)], width: 4).map(\.rawValue) == [11])
        slots.free(ResourceID(1))
        #expect(slots.take(slow, width: 4).map(\.rawValue) == [1])
        #expect(slots.take([item(12, false), item(13, false)], width: 4).map(\.rawValue) == [12])
        #expect(slots.state(width: 4).isFull)
    }

    @Test("A refused removal is tried again after a minute or more, one that failed in an outage when it is over")
    func refusedRemoval() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try await system.write("b.jpg", photo(2))
            let rule = system.store.inject(.fail(.rejected(.status(409), message: "")), on: [.delete])
            try system.remove("a.jpg")
            try await system.eventually("the refused removal is due in a minute or later") {
                let due = try system.core.catalogue.read { reader throws(CatalogueError) in
                    try reader.nextDueRemoval()
                }
                return rule.hits > 0 && due.map { $0 > currentTime() + 40_000_000_000 } ?? false
            }
            #expect(try await system.core.operatorDesk.status().failures.removals > 0)
            #expect(RetryDelay.afterRefusal(attempts: 60) <= RetryDelay.longest)
        }
    }
}
