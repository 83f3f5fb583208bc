import Catalogue
import Glibc
import ObjectStorage
import TestSupport
import Testing

@testable import FileSystemCore

@Suite("What the repairer promises by itself")
struct RepairerTests {
    private func bytes(_ name: String) -> [UInt8] { Array(name.utf8) }

    private func rename(_ bench: Workbench, _ from: String, _ to: String) throws -> Renamed {
        try bench.catalogue.change(
            .powerLoss,
            .rename(
                from: Dentry(.root, bytes(from)), to: Dentry(.root, bytes(to)), noReplace: false,
                sourceInode: try bench.inode(from),
                now: currentTime()))
    }

    @Test("Write.1: a row without its file is taken back; a file is kept and waits for its upload; a directory is made")
    func creations() async throws {
        try await Workbench.run { bench in
            let without = try bench.makeRow("without")
            let with = try bench.makeRow("with")
            _ = try bench.tree.createFile(try MainEntry(bench.main.root, bytes("with")), with)
            let directory = try bench.makeRow("d", .directory)
            try bench.repairer.repair(mainMayBeTorn: false)
            #expect(throws: FileSystemError.catalogue(.noSuchResource)) { try bench.row(without.id) }
            #expect(try bench.catalogue.lookup(Dentry(.root, bytes("without"))) == nil)
            let kept = try bench.row(with.id)
            #expect(try kept.inMain && kept.needsUpload && kept.mainInode == bench.inode("with"))
            let due = try #require(try bench.due(with.id))
            #expect(due <= currentTime())
            #expect(try bench.row(directory.id).status == .created && bench.inode("d") != 0)
            #expect(try bench.catalogue.creating().isEmpty)
        }
    }

    @Test("Rename.2: a rename that main has not followed is followed, and its intent goes")
    func renameIsFollowed() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let other = try await bench.storedFile("b", photo(2))
            _ = try rename(bench, "a", "b")
            for _ in 1...2 { try bench.repairer.repair(mainMayBeTorn: false) }
            #expect(bench.mainBytes("b") == photo(1) && bench.mainBytes("a") == nil)
            #expect(try bench.catalogue.lookup(Dentry(.root, bytes("b")))?.id == file.id)
            #expect(try bench.row(other.id).status == .deleted)
            #expect(try bench.catalogue.renameIntents().isEmpty)
        }
    }

    @Test("Rename.3: a rename that main has followed is not repeated over what has the name since")
    func renameIsNotRepeated() async throws {
        try await Workbench.run { bench in
            _ = try await bench.storedFile("a", photo(1))
            let renamed = try rename(bench, "a", "b")
            #expect(Glibc.rename(bench.path + "/a", bench.path + "/b") == 0)
            try bench.catalogue.change(.processCrash, .markFollowed(.rename(try #require(renamed.intent))))
            // The kernel may give the same number again, so the new file gets that of the old one for certain.
            #expect(link(bench.path + "/b", bench.path + "/a") == 0)
            try bench.repairer.repair(mainMayBeTorn: false)
            #expect(try bench.inode("a") == bench.inode("b") && bench.inode("a") != 0)
            #expect(try bench.catalogue.renameIntents().isEmpty)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).isEmpty)
        }
    }

    @Test("Link.2: a second name that main lacks is made, and one that was taken away is removed")
    func namesAreFollowed() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            _ = try bench.catalogue.change(
                .powerLoss, .link(file.id, Dentry(.root, bytes("b")), now: currentTime()))
            try bench.repairer.repair(mainMayBeTorn: false)
            #expect(try bench.inode("b") == bench.inode("a") && bench.inode("a") != 0)
            #expect(try bench.deleteRow("a").intent != nil)
            try bench.repairer.repair(mainMayBeTorn: false)
            #expect(try bench.inode("a") == 0 && bench.inode("b") == file.mainInode)
            #expect(try bench.catalogue.nameIntents().isEmpty)
        }
    }

    @Test("Write.4: an upload that was begun is kept if its file waits for it, and its object goes if not")
    func uploadsBegun() async throws {
        try await Workbench.run { bench in
            func begin(_ row: Resource, _ id: String) throws {
                let version = Version(
                    id: VersionID(id), resource: row.id, key: "k~\(id)", size: 1,
                    sha256: [UInt8](repeating: 1, count: 32), state: .uploading)
                _ = try bench.catalogue.change(
                    .processCrash, .beginUpload(version, epoch: 1, now: currentTime()) { _ in false })
            }
            let settled = try await bench.storedFile("a", photo(1))
            try begin(settled, "0a3kq1v7x2m1")
            let waiting = try bench.newFile("b", photo(2))
            try begin(try bench.row(waiting.id), "0a3kq1v7x2m2")
            try bench.repairer.repair(mainMayBeTorn: false)
            try await bench.journal.tellRemovals()
            #expect(try bench.catalogue.unwantedVersions(of: settled.id).map(\.key) == ["k~0a3kq1v7x2m1"])
            #expect(try bench.catalogue.begunUpload(waiting.id)?.key == "k~0a3kq1v7x2m2")
            let due = try bench.catalogue.dueResources(now: currentTime(), limit: 9)
            #expect(due.map(\.resource.id) == [waiting.id])
        }
    }

    @Test(
        "I6: renames that main has followed and the power cut took from the catalogue are taken back, without a request"
    )
    func lostRenames() async throws {
        try await Workbench.run { bench in
            for (index, name) in ["a", "b", "c", "d", "e"].enumerated() {
                _ = try await bench.storedFile(name, photo(index))
            }
            func move(_ from: String, _ to: String) {
                #expect(Glibc.rename(bench.path + "/" + from, bench.path + "/" + to) == 0)
            }
            let inodes = try ["a", "c", "d", "e"].map { try bench.inode($0) }
            // Over a file that backup has; into a new directory; two that change their names by a third.
            move("a", "b")
            #expect(mkdir(bench.path + "/new", 0o755) == 0)
            move("c", "new/c")
            move("d", "x")
            move("e", "d")
            move("x", "e")
            bench.memory.forgetRequests()
            try bench.repairer.repair(mainMayBeTorn: true)
            #expect(bench.memory.requests.isEmpty)
            #expect(bench.mainBytes("a") == photo(0) && bench.mainBytes("b") == nil && bench.mainBytes("c") == photo(2))
            #expect(try bench.inode("a") == inodes[0] && bench.inode("c") == inodes[1])
            #expect(try bench.catalogue.lookup(Dentry(.root, bytes("new")))?.kind == .directory)
            #expect(access(bench.path + "/new/c", F_OK) != 0)
            // Of the circle one is where it belongs, and what was in its way comes back from backup.
            let circle = try (bench.inode("d"), bench.inode("e"))
            #expect(circle == (inodes[2], 0) || circle == (0, inodes[3]))
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).count == 1)
            for (index, name) in ["a", "b", "c", "d", "e"].enumerated() {
                let row = try #require(try bench.catalogue.lookup(Dentry(.root, bytes(name))))
                let file = try bench.use(row.id)
                if try bench.inode(name) == 0 { try await bench.recoverer.recover(file) }
                bench.files.release(file)
                #expect(bench.mainBytes(name) == photo(index))
            }
        }
    }

    @Test("I6: a recovered copy whose row the power cut took, renamed since: its time tells whose it is")
    func lostRenameOfRecovered() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let seconds = timespec(
                tv_sec: time_t(file.modified / 1_000_000_000), tv_nsec: Int(file.modified % 1_000_000_000))
            let descriptor = open(bench.path + "/t", O_WRONLY | O_CREAT, 0o600)
            #expect(write(descriptor, photo(1), photo(1).count) == photo(1).count)
            #expect(futimens(descriptor, [seconds, seconds]) == 0)
            close(descriptor)
            #expect(unlink(bench.path + "/a") == 0)
            try bench.repairer.repair(mainMayBeTorn: true)
            #expect(bench.mainBytes("a") == photo(1) && bench.mainBytes("t") == nil)
            #expect(try bench.catalogue.lookup(Dentry(.root, bytes("t"))) == nil)
        }
    }

    @Test("I4: after a power cut what no close has acknowledged is set aside, and the version in backup is the file")
    func torn() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let fresh = try bench.newFile("b", photo(2))
            let inUse = try bench.use(file.id)
            inUse.offer(
                try #require(try bench.main.openFile(try MainEntry(bench.main.root, bytes("a")), writing: true)),
                .compared)
            try bench.write(inUse, photo(3))
            bench.files.release(inUse)
            try bench.repairer.repair(mainMayBeTorn: true)
            let row = try bench.row(file.id)
            #expect(row.version == file.version && !row.needsUpload && !row.inMain)
            #expect(bench.mainBytes("a") == nil)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).map(\.reason) == [.unacknowledged])
            // Backup has nothing of it: what main has is all there is.
            #expect(bench.mainBytes("b") == photo(2))
            #expect(try bench.row(fresh.id).needsUpload)
        }
    }

    @Test("I4: after a power cut a copy that is byte for byte what was being sent may be acknowledged, and stays")
    func mayBeAcknowledged() async throws {
        try await Workbench.run { bench in
            let file = try await bench.storedFile("a", photo(1))
            let inUse = try bench.use(file.id)
            inUse.offer(
                try #require(try bench.main.openFile(try MainEntry(bench.main.root, bytes("a")), writing: true)),
                .compared)
            try bench.write(inUse, photo(2))
            bench.store.inject(.loseAnswer, on: [.put], count: 1)
            await #expect(throws: FileSystemError.self) {
                try await bench.uploader.backUp(inUse, deadline: .farAway)
            }
            bench.files.release(inUse)
            try bench.repairer.repair(mainMayBeTorn: true)
            #expect(bench.mainBytes("a") == photo(2))
            #expect(try bench.row(file.id).needsUpload)
            #expect(try bench.catalogue.setAside(after: 0, limit: 9).isEmpty)
        }
    }
}
