// A main disk that is full, or is not there.

import Foundation
import Glibc
import Testing

@Suite("A full main disk")
struct FullDiskTests {
    @Test("A full disk is ENOSPC; nothing is lost, and the mount goes on", arguments: BackupKind.available)
    func fullDisk(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, mainSize: "16m") { sandbox in
            try writeFile(sandbox.path("before.jpg"), photo(1))
            var written: [Int] = []
            var failure: CallFailure?
            for index in 10..<60 where failure == nil {
                failure = failureOfWriting(sandbox.path("\(index).jpg"), photo(index, size: 1_000_000))
                if failure == nil { written.append(index) }
            }
            #expect(failure?.code == ENOSPC)
            #expect(written.count > 3)
            for index in written {
                #expect(try readFile(sandbox.path("\(index).jpg")) == photo(index, size: 1_000_000))
                #expect(try sandbox.backedUp("\(index).jpg") == photo(index, size: 1_000_000))
            }
            #expect(try names(in: sandbox.mountPoint).count >= written.count + 1)
            // Room is made through the mount.
            for index in written.prefix(3) { try remove(sandbox.path("\(index).jpg")) }
            try writeFile(sandbox.path("after.jpg"), photo(2))
            #expect(try sandbox.backedUp("after.jpg") == photo(2))
            for name in try names(in: sandbox.mountPoint) where name != "after.jpg" && name != "before.jpg" {
                let isComplete = written.contains { "\($0).jpg" == name }
                if !isComplete { try remove(sandbox.path(name)) }
            }
            try sandbox.settle()
            #expect(try sandbox.backup.keys().count == written.count - 3 + 2)
        }
    }

    @Test("I13: when main loses what it had accepted, the close fails, and the file is what backup has")
    func failedSync() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.start(environment: ["BACKUPFS_FAILPOINT": "upload.main=error@2"])
            try writeFile(sandbox.path("a.jpg"), photo(1))
            #expect(throws: CallFailure(call: "close", code: EIO)) {
                try writeFile(sandbox.path("a.jpg"), photo(2))
            }
            try sandbox.settle()
            // Nobody knows what main has, nor what was read of it for the upload: the last good version is the file.
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
            #expect(try !names(in: sandbox.main).contains("a.jpg"))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try filesBelow(sandbox.mainPath(".backupfs/aside")).filter { $0.hasSuffix("/a.jpg") }.count == 1)
            #expect(try sandbox.leftovers().map(\.reason) == ["set aside as 1: main failed to write all of it"])
        }
    }

    @Test("I13: the same with a file that backup never had: it is a leftover, and its copy is set aside")
    func failedSyncOfNewFile() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.start(environment: ["BACKUPFS_FAILPOINT": "upload.main=error@1"])
            #expect(throws: CallFailure(call: "close", code: EIO)) {
                try writeFile(sandbox.path("a.jpg"), photo(1))
            }
            #expect(failureOfReading(sandbox.path("a.jpg"))?.code == EIO)
            #expect(try sandbox.leftovers().count == 2)
            #expect(try filesBelow(sandbox.mainPath(".backupfs/aside")).filter { $0.hasSuffix("/a.jpg") }.count == 1)
        }
    }

    @Test(
        "With all descriptors in use more opens are ENFILE; what is open is closed and backed up, and the mount goes on"
    )
    func descriptorLimit() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.run([
                "prlimit", "--nofile=300:300", backupfs, "mount", sandbox.main, sandbox.mountPoint, "--backup",
                sandbox.backup.url,
            ])
            var files: [OpenFile] = []
            var code: Int32 = 0
            while files.count < 300, code == 0 {
                do throws(CallFailure) {
                    let file = try OpenFile(sandbox.path("\(files.count).jpg"), O_RDWR | O_CREAT)
                    try file.write(photo(files.count, size: 500))
                    files.append(file)
                } catch {
                    code = error.code
                }
            }
            #expect(code == ENFILE)
            #expect(files.count > 100)
            for file in files { try file.close() }
            try writeFile(sandbox.path("more.jpg"), photo(1))
            #expect(try sandbox.backedUp("more.jpg") == photo(1))
            #expect(try sandbox.backedUp("7.jpg") == photo(7, size: 500))
            #expect(try sandbox.leftovers().isEmpty)
            try sandbox.run([backupfs, "unmount", sandbox.mountPoint])
        }
    }

    @Test("Read.6: a recovery without room is an error, and works when there is room", arguments: BackupKind.available)
    func recoveryWithoutRoom(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, mainSize: "16m") { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1, size: 4_000_000))
            try remove(sandbox.mainPath("a.jpg"))
            let filler = sandbox.mainPath("filler")
            _ = try sandbox.outcome(["dd", "if=/dev/zero", "of=\(filler)", "bs=64k", "count=1000"])
            let failure = failureOfReading(sandbox.path("a.jpg"))
            #expect(failure?.code == EIO || failure?.code == ENOSPC)
            #expect(try sandbox.info("a.jpg").stored.backup)
            try remove(filler)
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1, size: 4_000_000))
        }
    }
}
