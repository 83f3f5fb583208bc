import Catalogue
import Glibc
import Linux
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the uploader promises by itself")
struct UploaderTests {
    @Test("Write.4: a content is one object, however often it is asked for and however often its answer was lost")
    func oneObject() async throws {
        try await Workbench.run { bench in
            bench.store.inject(.loseAnswer, on: [.put], keys: .containing("a~"), count: 1)
            let file = try bench.newFile("a", photo(1))
            await #expect(throws: FileSystemError.self) { try await bench.uploader.backUp(file, deadline: .farAway) }
            try await bench.uploader.backUp(file, deadline: .farAway)
            try await bench.uploader.backUp(file, deadline: .farAway)
            #expect(bench.puts.count == 2 && Set(bench.puts).count == 1)
            #expect(bench.memory[try bench.key(bench.row(file.id))]?.bytes == photo(1))
            try bench.write(file, photo(2))
            try await bench.uploader.backUp(file, deadline: .farAway)
            #expect(Set(bench.puts).count == 2)
        }
    }

    @Test("Write.5: a commit is of what was read: a content that changes while it is sent is sent again")
    func changedWhileSent() async throws {
        try await Workbench.run { bench in
            let gate = Gate()
            bench.store.inject(.holdAnswer(gate), on: [.put], count: 1)
            let file = try bench.newFile("a", photo(1))
            let upload = Task { try await bench.uploader.backUp(file, deadline: .farAway) }
            await gate.reached()
            try bench.write(file, photo(2))
            gate.open()
            try await upload.value
            let row = try bench.row(file.id)
            #expect(bench.memory[try bench.key(row)]?.bytes == photo(2))
            #expect(!row.needsUpload && Set(bench.puts).count == 2)
            try await bench.journal.tellRemovals()
            let due = try bench.catalogue.dueRemovals(now: currentTime(), limit: 9)
            #expect(due.map(\.version.key) == [bench.puts[0]])
        }
    }

    @Test("Two callers share one upload, and one whose deadline comes first leaves it alone")
    func shared() async throws {
        try await Workbench.run { bench in
            let gate = Gate()
            bench.store.inject(.hold(gate), on: [.put])
            let file = try bench.newFile("a", photo(1))
            let first = Task { try await bench.uploader.backUp(file, deadline: .farAway) }
            await gate.reached()
            await #expect(throws: FileSystemError.backupTimedOut) {
                try await bench.uploader.backUp(file, deadline: .atOnce)
            }
            let second = Task { try await bench.uploader.backUp(file, deadline: .farAway) }
            gate.open()
            try await first.value
            try await second.value
            #expect(gate.arrived == 1 && bench.puts.count == 1)
            #expect(bench.counters.now.uploadsDone == 1)
        }
    }

    @Test("I2: a failed upload is in the row with what failed and when it is tried again")
    func failure() async throws {
        try await Workbench.run { bench in
            bench.store.inject(.fail(.full(message: "no room")), on: [.put], count: 1)
            let file = try bench.newFile("a", photo(1))
            let before = currentTime()
            await #expect(throws: FileSystemError.backup(.full(message: "no room"))) {
                try await bench.uploader.backUp(file, deadline: .farAway)
            }
            let row = try bench.row(file.id)
            #expect(row.needsUpload && !row.inBackup && row.lastError?.contains("no room") == true)
            #expect(try bench.catalogue.attempts(file.id) == 1)
            let due = try #require(try bench.due(file.id))
            #expect(due > before && due <= currentTime() + 15_000_000_000)
            #expect(bench.counters.now.uploadsFailed == 1)
        }
    }

    @Test("What backup cannot take is refused by its size, before it is read")
    func tooLarge() async throws {
        try await Workbench.run { bench in
            bench.store.takes(atMost: 2)
            let file = try bench.newFile("a", photo(1))
            // Nobody can read through it: who tried would fail with another error.
            let blind = Descriptor(open(bench.path + "/a", O_WRONLY | O_CLOEXEC))
            bench.files.release(file)
            let again = try bench.use(file.id)
            again.offer(blind, .compared)
            let failure = await #expect(throws: FileSystemError.self) {
                try await bench.uploader.backUp(again, deadline: .farAway)
            }
            guard case .backup(.rejected(.entityTooLarge, _)) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(bench.puts.isEmpty)
            #expect(try bench.catalogue.versions(of: file.id).isEmpty)
        }
    }

    @Test(
        "I13: a main copy that the kernel failed to write is set aside, and not sent; backup's last version is the file, and no retry succeeds"
    )
    func failedSync() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            // sync_file_range(2) fails for a pipe, as it does for a disk that lost what was written.
            unlink(bench.path + "/a")
            #expect(mkfifo(bench.path + "/a", 0o600) == 0)
            let pipe = Descriptor(open(bench.path + "/a", O_RDWR | O_NONBLOCK | O_CLOEXEC))
            try bench.catalogue.change(.processCrash, .needsUpload(stored.id, due: 0))
            let file = try bench.use(stored.id)
            file.offer(pipe, .compared)
            for _ in 1...2 {
                await #expect(throws: FileSystemError.mainLostData) {
                    try await bench.uploader.backUp(file, deadline: .farAway)
                }
            }
            let row = try bench.row(stored.id)
            #expect(row.version == stored.version && row.inBackup && !row.needsUpload && !row.inMain)
            #expect(try bench.inode("a") == 0)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).map(\.reason) == [.notWritten])
            #expect(bench.memory[try bench.key(row)]?.bytes == photo(1))
            #expect(bench.objects.count == 1)
        }
    }

    @Test("A file that is deleted while it is sent is no failure, and its object is to go")
    func deletedMeanwhile() async throws {
        try await Workbench.run { bench in
            let gate = Gate()
            bench.store.inject(.hold(gate), on: [.put])
            let file = try bench.newFile("a", photo(1))
            let upload = Task { try await bench.uploader.backUp(file, deadline: .farAway) }
            await gate.reached()
            try bench.deleteRow("a")
            gate.open()
            try await upload.value
            #expect(try bench.row(file.id).status == .deleted)
            try await bench.journal.tellRemovals()
            let due = try bench.catalogue.dueRemovals(now: currentTime(), limit: 9)
            #expect(due.map(\.version.key) == bench.objects)
        }
    }

    @Test("Nothing is sent to a prefix that is somebody else's")
    func foreignPrefix() async throws {
        let memory = MemoryStore()
        memory[".backupfs/catalogue.json"] = .init(bytes: Array(#"{"catalogue":"another","format":1}"#.utf8))
        try await Workbench.run(isClaimed: false, memory: memory) { bench in
            let file = try bench.newFile("a", photo(1))
            let failure = await #expect(throws: FileSystemError.self) {
                try await bench.uploader.backUp(file, deadline: .farAway)
            }
            guard case .backup(.denied(.notOurs, _)) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(memory.count(.put) == 0)
            #expect(try bench.row(file.id).needsUpload)
        }
    }
}
