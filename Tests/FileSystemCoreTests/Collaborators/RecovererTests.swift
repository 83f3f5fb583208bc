import Catalogue
import Glibc
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@testable import FileSystemCore

/// How many have come.
private final class Arrivals: Sendable {
    let count = Atomic(0)
}

@Suite("What the recoverer promises by itself")
struct RecovererTests {
    @Test("Read.6: a file comes back with its bytes, its mode and its time, and the row knows the new copy")
    func comesBack() async throws {
        try await Workbench.run { bench in
            let file = try await bench.lostFile("a", photo(1))
            let before = try bench.row(file.id)
            try await bench.recoverer.recover(file)
            #expect(bench.mainBytes("a") == photo(1))
            var status = stat()
            #expect(lstat(bench.path + "/a", &status) == 0)
            #expect(UInt32(status.st_mode) & 0o7777 == before.mode && Nanoseconds(status.st_mtim) == before.modified)
            let row = try bench.row(file.id)
            #expect(row.inMain && row.mainInode == UInt64(status.st_ino))
            #expect(try bench.main.entries(in: bench.main.staging).isEmpty)
        }
    }

    @Test(
        "I4: bytes that are not what was uploaded never get the name; they are fetched three times, and the object counts"
    )
    func damaged() async throws {
        try await Workbench.run { bench in
            let file = try await bench.lostFile("a", photo(1))
            let fault = bench.store.inject(.corrupt, on: [.get])
            let failure = await #expect(throws: FileSystemError.self) { try await bench.recoverer.recover(file) }
            guard case .backup(.corrupted) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(fault.hits == 3 && file.descriptor == nil)
            #expect(try bench.inode("a") == 0)
            #expect(try bench.row(file.id).inBackup)
            #expect(bench.counters.now.recoveriesFailed == 1)
        }
    }

    @Test("Read.4: a main copy that has the content is taken without a request; another one is set aside")
    func adopts() async throws {
        try await Workbench.run { bench in
            for (name, bytes) in [("same", photo(1)), ("other", photo(2))] {
                let file = try await bench.lostFile(name, photo(1))
                let copy = bench.path + "/" + name
                let descriptor = open(copy, O_WRONLY | O_CREAT, 0o600)
                #expect(write(descriptor, bytes, bytes.count) == bytes.count)
                close(descriptor)
                let inode = try bench.inode(name)
                bench.memory.forgetRequests()
                try await bench.recoverer.recover(file)
                #expect(bench.mainBytes(name) == photo(1))
                #expect(bench.memory.count(.get) == (name == "same" ? 0 : 1))
                #expect(try (bench.inode(name) == inode) == (name == "same"))
            }
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).map(\.path) == [[Array("other".utf8)]])
        }
    }

    @Test("Read.7: an object is lost only if our own prefix says so twice")
    func lost() async throws {
        try await Workbench.run { bench in
            let flickering = try await bench.lostFile("a", photo(1))
            let key = try bench.key(bench.row(flickering.id))
            bench.store.inject(.fail(.notFound(key: key)), on: [.get], keys: .exactly(key), count: 1)
            try await bench.recoverer.recover(flickering)
            #expect(bench.mainBytes("a") == photo(1))
            #expect(try bench.row(flickering.id).inBackup)

            let gone = try await bench.lostFile("b", photo(2))
            bench.memory[try bench.key(bench.row(gone.id))] = nil
            bench.memory.forgetRequests()
            await #expect(throws: FileSystemError.inNoStorage) { try await bench.recoverer.recover(gone) }
            #expect(bench.memory.count(.get, .prefix("b~")) == 1 && bench.memory.count(.head, .prefix("b~")) == 1)
            let row = try bench.row(gone.id)
            #expect(!row.inBackup && row.lastError == "no storage has the file")
        }
    }

    @Test("I8: a store without our marker, or one that is down, says nothing of an object")
    func notBelieved() async throws {
        try await Workbench.run { bench in
            let file = try await bench.lostFile("a", photo(1))
            let all = bench.memory.keys
            for key in all { bench.memory[key] = nil }
            await #expect(throws: FileSystemError.self) { try await bench.recoverer.recover(file) }
            #expect(try bench.row(file.id).inBackup)
            bench.store.inject(.fail(.unreachable(reason: "down")))
            await #expect(throws: FileSystemError.backup(.unreachable(reason: "down"))) {
                try await bench.recoverer.recover(file)
            }
            #expect(try bench.row(file.id).inBackup && !bench.health.isReachable)
        }
    }

    @Test("Read.5: many readers share one download")
    func shared() async throws {
        try await Workbench.run { bench in
            let file = try await bench.lostFile("a", photo(1))
            let gate = Gate()
            bench.store.inject(.hold(gate), on: [.get])
            let come = Arrivals()
            let readers = (1...8).map { _ in
                Task {
                    come.count.add(1, ordering: .relaxed)
                    try await bench.recoverer.recover(file)
                }
            }
            await gate.reached()
            while come.count.load(ordering: .relaxed) < 8 { await Task.yield() }
            gate.open()
            for reader in readers { try await reader.value }
            #expect(gate.arrived == 1 && bench.counters.now.recoveriesDone == 1)
        }
    }

    @Test("A file that was deleted while it is open is read, and main gets no copy")
    func deleted() async throws {
        try await Workbench.run { bench in
            let file = try await bench.lostFile("a", photo(1))
            try bench.deleteRow("a")
            try await bench.recoverer.recover(file)
            var bytes = [UInt8](repeating: 0, count: 6000)
            let copy = try #require(file.descriptor)
            #expect(pread(copy.number, &bytes, bytes.count, 0) == photo(1).count)
            #expect(Array(bytes.prefix(photo(1).count)) == photo(1))
            #expect(try bench.inode("a") == 0)
        }
    }

    @Test("A change that main lost before it was backed up is not passed off as one: the version in backup is the file")
    func lostChange() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            try bench.catalogue.change(.processCrash, .needsUpload(stored.id, due: 0))
            unlink(bench.path + "/a")
            let file = try bench.use(stored.id)
            try await bench.recoverer.recover(file)
            #expect(bench.mainBytes("a") == photo(1) && !file.needsUpload)
            let row = try bench.row(stored.id)
            #expect(!row.needsUpload && row.lastError?.contains("lost") == true)
            #expect(bench.counters.now.changesLost == 1)
        }
    }
}
