import Catalogue
import Foundation
import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("Where resources lie in main, and what main has followed")
struct MainTreeTests {
    private func bytes(_ name: String) -> [UInt8] { Array(name.utf8) }

    @Test("What has no name has no place; a name that is another's by now is not used")
    func places() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let other = try await bench.storedFile("b", photo(2))
            let name = try bench.tree.atLocation(of: file.id) { (entry) throws(FileSystemError) in entry.name }
            #expect(name == bytes("a"))
            let own = try bench.tree.atName(of: file.id, Dentry(.root, bytes("a"))) { (_) throws(FileSystemError) in
                true
            }
            let foreign = try bench.tree.atName(of: file.id, Dentry(.root, bytes("b"))) { (_) throws(FileSystemError) in
                true
            }
            #expect(own == true && foreign == nil)
            try bench.deleteRow("b")
            let place = try bench.tree.atLocation(of: other.id) { (entry) throws(FileSystemError) in entry.name }
            #expect(place == nil)
        }
    }

    @Test("A directory that is gone behind the mount is made again for what needs it, and not for a look")
    func missingDirectory() async throws {
        try await Workbench.run { bench in
            let outer = try bench.makeDirectory("outer")
            let inner = try bench.makeDirectory("inner", in: outer)
            #expect(rmdir(bench.path + "/outer/inner") == 0 && rmdir(bench.path + "/outer") == 0)
            #expect(try bench.tree.existingDirectory(inner) == nil)
            let made = try bench.tree.directory(inner)
            #expect(bench.main.path(of: made) == [bytes("outer"), bytes("inner")])
            try bench.deleteRow("inner", in: outer, directory: true)
            #expect(throws: FileSystemError.catalogue(.noSuchResource)) { try bench.tree.directory(inner) }
        }
    }

    @Test("A main copy that has lost one of its names is found under another, and gets the name again")
    func otherName() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            _ = try bench.catalogue.change(.powerLoss, .link(file.id, Dentry(.root, bytes("b")), now: 1))
            try bench.tree.link(file.id, Dentry(.root, bytes("b")))
            unlink(bench.path + "/a")
            let found = try bench.tree.mainCopy(bench.row(file.id))
            let copy = try #require(found ?? nil)
            #expect(try UInt64(copy.status().st_ino) == file.mainInode)
            #expect(try bench.inode("a") == file.mainInode)
            // Another file under the other name is not taken for it.
            for name in ["a", "b"] { unlink(bench.path + "/" + name) }
            close(creat(bench.path + "/b", 0o600))
            let none = try bench.tree.mainCopy(bench.row(file.id))
            #expect(try #require(none) == nil)
        }
    }

    @Test("I14: what is set aside is on record with its path before it is moved, keeps its inode, and is counted")
    func setAside() async throws {
        try await Workbench.run { bench in
            let id = try bench.makeDirectory("d")
            close(creat(bench.path + "/d/x", 0o600))
            let inode = try bench.inode("x", in: id)
            let directory = try bench.tree.directory(id)
            let isMoved = try bench.tree.setAside(try MainEntry(directory, bytes("x")), .unknown)
            let isMovedAgain = try bench.tree.setAside(try MainEntry(directory, bytes("x")), .unknown)
            #expect(isMoved && !isMovedAgain)
            let entries = try bench.catalogue.setAside(after: 0, limit: 9)
            #expect(entries.map(\.path) == [[bytes("d"), bytes("x")]])
            let entry = try #require(entries.first)
            let place = try bench.main.openDirectory([bytes("\(entry.id)"), bytes("d")], in: bench.main.aside)
            #expect(try bench.main.inode(try MainEntry(place, bytes("x"))) == inode)
            #expect(bench.counters.now.setAside == 1)
            try bench.commitRecords()
            #expect(try bench.catalogue.unsettledAside().isEmpty)
        }
    }

    @Test("A copy is set aside only if its name is not another file's by now")
    func setAsideCopy() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let copy = try #require(try bench.main.openFile(try MainEntry(bench.main.root, bytes("a")), writing: false))
            #expect(rename(bench.path + "/a", bench.path + "/elsewhere") == 0)
            close(creat(bench.path + "/a", 0o600))
            try bench.tree.setAside(copy, of: file, .damaged)
            #expect(try bench.inode("a") != 0 && bench.row(file.id).inMain)
            #expect(rename(bench.path + "/elsewhere", bench.path + "/a") == 0)
            try bench.tree.setAside(copy, of: file, .damaged)
            #expect(try bench.inode("a") == 0 && !bench.row(file.id).inMain)
        }
    }

    @Test("Rename.2: without a main copy of the source, what the target had does not stay in its place")
    func followedWithoutCopy() async throws {
        try await Workbench.run { bench in
            _ = try await bench.storedFile("a", photo(1))
            unlink(bench.path + "/a")
            _ = try await bench.storedFile("b", photo(2))
            let root = bench.main.root
            try bench.tree.followRename(
                from: try MainEntry(root, bytes("a")), to: try MainEntry(root, bytes("b")), isDirectory: false,
                mayReplace: true)
            #expect(try bench.inode("b") == 0)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).isEmpty)
            // What no row knows is kept.
            let other = try await bench.storedFile("c", photo(3))
            close(creat(bench.path + "/d", 0o600))
            try bench.tree.followRename(
                from: try MainEntry(root, bytes("c")), to: try MainEntry(root, bytes("d")), isDirectory: false,
                mayReplace: false)
            #expect(try bench.inode("d") == other.mainInode)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).map(\.path) == [[bytes("d")]])
        }
    }

    @Test("While a directory is moved nobody uses a path; the move of a file lets others go on")
    func moving() async throws {
        try await Workbench.run { bench in
            _ = try bench.makeDirectory("d")
            _ = try await bench.storedFile("a", photo(1))
            let tree = bench.tree
            for (name, isDirectory) in [("a", false), ("d", true)] {
                let order = Mutex<[String]>([])
                let (coming, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
                try tree.moving([Dentry(.root, bytes(name))]) { () throws(FileSystemError) in
                    Thread.detachNewThread {
                        coming.signal()
                        tree.lock.shared { order.withLock { $0.append("other") } }
                        done.signal()
                    }
                    coming.wait()
                    // Who must not come in gives no sign of it; so there is some time to do it.
                    let isIn = done.wait(timeout: .now() + (isDirectory ? 0.2 : 120)) == .success
                    if isIn { done.signal() }
                    order.withLock { $0.append("move") }
                }
                done.wait()
                #expect(order.withLock { $0 } == (isDirectory ? ["move", "other"] : ["other", "move"]))
            }
        }
    }
}

@Suite("What the keeper of intents promises by itself")
struct IntentKeeperTests {
    private func rename(_ bench: Workbench, _ from: String, _ to: String) throws -> Int64 {
        let renamed = try bench.catalogue.change(
            .powerLoss,
            .rename(
                from: Dentry(.root, Array(from.utf8)), to: Dentry(.root, Array(to.utf8)), noReplace: false,
                sourceInode: try bench.inode(from), now: currentTime()))
        return try #require(renamed.intent)
    }

    @Test("An intent that main has followed is marked at once, and goes only with a sync of main")
    func followed() async throws {
        try await Workbench.run { bench in
            _ = try await bench.storedFile("a", photo(1))
            let intent = try rename(bench, "a", "b")
            bench.intents.finish()
            try bench.commitRecords()
            #expect(try bench.catalogue.renameIntents().map(\.isFollowed) == [false])
            bench.intents.noteFollowed(.rename(intent))
            try bench.commitRecords()
            #expect(try bench.catalogue.renameIntents().map(\.isFollowed) == [true])
            bench.intents.finish()
            try bench.commitRecords()
            #expect(try bench.catalogue.renameIntents().isEmpty)
        }
    }

    @Test("Only what main has followed is forgotten, renames and names alike")
    func onlyThose() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let link = try bench.catalogue.change(
                .powerLoss, .link(file.id, Dentry(.root, Array("l".utf8)), now: 1))
            let first = try rename(bench, "a", "b")
            let second = try rename(bench, "b", "c")
            bench.intents.noteFollowed(.rename(first))
            bench.intents.noteFollowed(.name(link))
            bench.intents.finish()
            try bench.commitRecords()
            #expect(try bench.catalogue.renameIntents().map(\.id) == [second])
            #expect(try bench.catalogue.nameIntents().isEmpty)
            #expect(try bench.catalogue.renameIntents().map(\.isFollowed) == [false])
        }
    }

    @Test("Whoever notes while others finish: each intent goes, and none is left")
    func atOnce() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let intents = try (1...40).map { number in
                try bench.catalogue.change(
                    .processCrash, .link(file.id, Dentry(.root, Array("l\(number)".utf8)), now: 1))
            }
            DispatchQueue.concurrentPerform(iterations: intents.count) { index in
                bench.intents.noteFollowed(.name(intents[index]))
                bench.intents.finish()
            }
            bench.intents.finish()
            try bench.commitRecords()
            #expect(try bench.catalogue.nameIntents().isEmpty)
        }
    }
}
