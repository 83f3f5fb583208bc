import Catalogue
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the remover promises by itself")
struct RemoverTests {
    @Test("Delete.3-5: a deleted file leaves main, its row says so, and its version is handed over")
    func finish() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            try bench.deleteRow("a")
            try await bench.finishDelete(stored.id)
            #expect(try bench.inode("a") == 0)
            let row = try bench.row(stored.id)
            #expect(row.status == .deleted && !row.inMain && row.inBackup)
            let due = try bench.due(stored.id)
            #expect(due == nil)
            try await bench.journal.tellRemovals()
            #expect(try bench.catalogue.unwantedVersions(of: stored.id).map(\.key) == bench.objects)
        }
    }

    @Test("I5: what has the deleted file's name by now is another file's, and stays")
    func nameIsUsedAgain() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            try bench.deleteRow("a")
            let deleted = try bench.row(stored.id)
            unlink(bench.path + "/a")
            let newer = try bench.newFile("a", photo(2))
            await bench.remover.finishDeletes([deleted])
            #expect(bench.mainBytes("a") == photo(2))
            #expect(try !bench.row(stored.id).inMain && bench.row(newer.id).inMain)
        }
    }

    @Test("A deleted directory that holds what no row knows is set aside with it")
    func directoryIsNotEmpty() async throws {
        try await Workbench.run { bench in
            let directory = try bench.makeDirectory("d")
            #expect(mkdir(bench.path + "/d/unknown", 0o700) == 0)
            try bench.deleteRow("d", directory: true)
            try await bench.finishDelete(directory)
            #expect(try bench.inode("d") == 0)
            let aside = try bench.catalogue.setAside(after: 0, limit: 9)
            #expect(aside.map(\.path) == [[Array("d".utf8)]])
            let id = try #require(aside.first).id
            #expect(try bench.main.isAside(id, [Array("d".utf8), Array("unknown".utf8)]))
        }
    }

    @Test("A file that is in use, or whose deletion a rename may take back, is left alone for a second")
    func postponed() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            let other = try await bench.storedFile("b", photo(2))
            try bench.deleteRow("a")
            let file = try bench.use(stored.id)
            bench.files.release(try bench.newFile("c", photo(3)))
            let inode = try bench.inode("c")
            let renamed = try bench.catalogue.change(
                .powerLoss,
                .rename(
                    from: Dentry(.root, Array("c".utf8)), to: Dentry(.root, Array("b".utf8)), noReplace: false,
                    sourceInode: inode, now: currentTime()))
            #expect(renamed.replaced?.id == other.id)
            for id in [stored.id, other.id] {
                let before = currentTime()
                try await bench.finishDelete(id)
                let due = try #require(try bench.due(id))
                #expect(due >= before + 1_000_000_000)
                #expect(try bench.row(id).inMain)
            }
            #expect(try bench.inode("a") != 0 && bench.objects.count == 2)
            bench.files.release(file)
            try await bench.finishDelete(stored.id)
            #expect(try bench.inode("a") == 0)
        }
    }

    @Test("Delete.6: removed objects are forgotten, each by its key and no other")
    func removes() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            let kept = try await bench.storedFile("a~b", photo(2))
            try bench.deleteRow("a")
            try await bench.finishDelete(stored.id)
            try await bench.journal.tellRemovals()
            let due = try bench.catalogue.dueRemovals(now: currentTime(), limit: 9)
            let isDone = await bench.remover.removeVersions(due)
            #expect(isDone)
            #expect(bench.objects == [try bench.key(bench.row(kept.id))])
            let row = try bench.row(stored.id)
            #expect(!row.inBackup && row.version == nil)
            #expect(try bench.catalogue.versions(of: stored.id).isEmpty)
        }
    }

    @Test(
        "Delete.7: a removal that is refused is a leftover and waits a minute or more; one that finds nobody, seconds")
    func fails() async throws {
        try await Workbench.run { bench in
            let stored = try await bench.storedFile("a", photo(1))
            try bench.deleteRow("a")
            try await bench.finishDelete(stored.id)
            for (error, waits) in [
                (ObjectStoreError.rejected(.status(400), message: "held"), 60...3600),
                (.unreachable(reason: "down"), 0...2),
            ] {
                bench.store.heal()
                bench.store.inject(.fail(error), on: [.delete])
                let before = currentTime()
                try await bench.journal.tellRemovals()
                let due = try bench.catalogue.dueRemovals(now: before + 3_600_000_000_000, limit: 9)
                let isDone = await bench.remover.removeVersions(due)
                #expect(!isDone && due.count == 1)
                try await bench.journal.tellRemovals()
                let next = try #require(try bench.catalogue.nextDueRemoval())
                #expect(next - before >= waits.lowerBound * 1_000_000_000)
                #expect(next - currentTime() <= waits.upperBound * 1_000_000_000)
                #expect(try bench.row(stored.id).lastError?.isEmpty == false)
            }
            #expect(bench.objects.count == 1 && bench.counters.now.removalsFailed == 2)
            let leftovers = try await bench.catalogue.ask(.leftovers(from: .start, limit: 9)).page
            #expect(leftovers.map(\.reason) == [.deletedButStored])
        }
    }

    @Test("What cannot be removed of many is tried again; the others are gone")
    func someFail() async throws {
        try await Workbench.run { bench in
            var rows: [Resource] = []
            for name in ["a", "b", "c"] {
                rows.append(try await bench.storedFile(name, photo(1)))
                try bench.deleteRow(name)
            }
            for row in rows { try await bench.finishDelete(row.id) }
            bench.store.inject(
                .fail(.rejected(.status(400), message: "held")), on: [.delete], keys: .prefix("b~"))
            try await bench.journal.tellRemovals()
            let due = try bench.catalogue.dueRemovals(now: currentTime() + 1, limit: 9)
            let isDone = await bench.remover.removeVersions(due)
            #expect(!isDone && due.count == 3)
            #expect(bench.objects.count == 1 && bench.objects.allSatisfy { $0.hasPrefix("b~") })
            try await bench.journal.tellRemovals()
            let left = try bench.catalogue.dueRemovals(now: .max, limit: 9)
            #expect(left.map(\.version.resource) == [rows[1].id] && left.map(\.attempts) == [1])
        }
    }
}

extension Workbench {
    /// Delete.3 to Delete.5 of a deleted resource, until they are on record.
    fileprivate func finishDelete(_ id: ResourceID) async throws {
        await remover.finishDeletes([try row(id)])
        try commitRecords()
    }
}
