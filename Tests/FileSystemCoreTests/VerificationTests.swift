// Read.2: a main copy that does not look like the one the row describes is compared before anybody sees it.

import Catalogue
import Glibc
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("Main copies that were changed behind the mount")
struct VerificationTests {
    @Test(
        "Read.2: a damaged main copy is set aside and the file recovered (I4)",
        arguments: [[], Array(photo(1).prefix(100)), photo(1) + [0], photo(2)])
    func damagedCopy(damaged: [UInt8]) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            try system.plant("a.jpg", damaged)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(system.inMain("a.jpg") == photo(1))
            #expect(try system.aside() == [damaged])
            #expect(system.core.counters.now.setAside == 1)
            #expect(system.uploads.count == 1)
        }
    }

    @Test("Read.2: bytes changed in place, in the same file of the same size, are noticed by the time")
    func changedInPlace() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            _ = try system.core.setAttributes(id, AttributeChanges(modified: .to(1_000_000_000)))
            try system.commitRecords()
            let file = Glibc.open(system.mainPath("a.jpg"), O_WRONLY)
            #expect(pwrite(file, [1, 2, 3], 3, 100) == 3)
            close(file)
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.aside().count == 1)
        }
    }

    @Test(
        "Read.2: a main copy with another time or inode number and the right content is kept", arguments: [false, true])
    func touchedCopy(replaced: Bool) async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            if replaced {
                try system.lose("a.jpg")
                try system.plant("a.jpg", photo(1))
            }
            let times = [timespec(tv_sec: 1_000_000, tv_nsec: 5), timespec(tv_sec: 1_000_000, tv_nsec: 6)]
            #expect(utimensat(AT_FDCWD, system.mainPath("a.jpg"), times, 0) == 0)
            guard
                case .mustPrepare(let handle, _) = try system.core.open(
                    system.id("a.jpg"), writing: false, truncating: false)
            else {
                Issue.record("it was not to be compared")
                return
            }
            try await system.core.prepare(handle)
            #expect(try await system.content(handle) == photo(1))
            system.core.close(handle)
            #expect(system.downloads == 0)
            #expect(try system.aside().isEmpty)
            // Once is enough.
            try system.commitRecords()
            try expectReady(system, "a.jpg")
        }
    }

    @Test("SetAttributes.3: a time that is set through the mount asks for no comparison")
    func timeSetThroughTheMount() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let id = try system.id("a.jpg")
            _ = try system.core.setAttributes(id, AttributeChanges(modified: .to(1_000_000_000)))
            try system.commitRecords()
            try expectReady(system, "a.jpg")
            #expect(try system.row("a.jpg")?.modified == 1_000_000_000)
        }
    }

    private func expectReady(_ system: TestFileSystem, _ path: String) throws {
        switch try system.core.open(system.id(path), writing: false, truncating: false) {
        case .ready(let handle): system.core.close(handle)
        case .mustPrepare(let handle, _):
            system.core.close(handle)
            Issue.record("it was to be prepared")
        }
    }

    @Test("Read.2: all who open a damaged file at once get the right bytes, from one download")
    func openersWait() async throws {
        try await TestFileSystem.run { system in
            let bytes = photo(1, size: 200_000)
            try await system.write("a.jpg", bytes)
            try system.plant("a.jpg", photo(2, size: 200_000))
            try await withThrowingTaskGroup { group in
                for _ in 0..<12 { group.addTask { try await system.read("a.jpg") } }
                for try await found in group { #expect(found == bytes) }
            }
            #expect(system.downloads == 1)
            #expect(try system.aside().count == 1)
        }
    }

    @Test("Read.2: all who open a touched file at once wait until it was compared")
    func openersOfATouchedFile() async throws {
        try await TestFileSystem.run { system in
            let bytes = photo(1, size: 200_000)
            try await system.write("a.jpg", bytes)
            try system.lose("a.jpg")
            try system.plant("a.jpg", bytes)
            try await withThrowingTaskGroup { group in
                for _ in 0..<12 {
                    group.addTask {
                        let handle = try await system.open("a.jpg")
                        #expect(handle.file.content { $0.trust > .none })
                        #expect(try await system.content(handle) == bytes)
                        system.core.close(handle)
                    }
                }
                try await group.waitForAll()
            }
            #expect(system.downloads == 0)
        }
    }

    @Test("Read.2: a file that the background is uploading is read at once, as it is")
    func readDuringBackgroundUpload() async throws {
        try await TestFileSystem.run { system in
            system.store.inject(.fail(down), on: [.put], keys: .prefix("a~"), count: 1)
            let gate = Gate()
            system.store.inject(.hold(gate), on: [.put], keys: .prefix("a~"))
            await #expect(throws: FileSystemError.backup(down)) { try await system.write("a.jpg", photo(1)) }
            await gate.reached()
            #expect(try await system.read("a.jpg") == photo(1))
            #expect(try system.row("a.jpg")?.inBackup == false)
            gate.open()
            try await system.settle()
            #expect(try system.inBackup("a.jpg") == photo(1))
        }
    }

    @Test("I8: an emptied main directory loses no row and no object, and fetches nothing unasked")
    func emptiedMain() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("shop")
            for index in 0..<10 { try await system.write("shop/\(index).jpg", photo(index)) }
            await system.stop()
            try system.lose("shop")
            try await system.mount()
            #expect(try system.core.list(system.id("shop"), after: 0, limit: 100).count == 10)
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
            #expect(system.downloads == 0 && system.keys.count == 10)
            #expect(try await system.read("shop/3.jpg") == photo(3))
            #expect(system.downloads == 1)
        }
    }
}
