// kill -9 of the daemon, and the next mount: nothing acknowledged is lost, and nothing is left to do by hand.

import Foundation
import Glibc
import Synchronization
import Testing

@Suite("kill -9 of the daemon")
struct CrashTests {
    @Test("What was acknowledged is intact, at whatever moment the daemon dies", arguments: BackupKind.available)
    func acknowledgedSurvives(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            var expected: [String: [UInt8]] = [:]
            for round in 0..<6 {
                // Writers, overwriters, renamers and deleters until the daemon dies under them.
                let acknowledged = Mutex<[String: [UInt8]?]>([:])
                let progress = Mutex(0)
                let workers = Crowd(4) { worker in
                    for step in 0... {
                        let seed = round * 100_000 + worker * 10_000 + step
                        let name = "\(round)-\(worker)-\(step % 3).jpg"
                        let bytes = photo(seed, size: 3000 + 50_000 * (step % 2))
                        // From here on either content may be found, until the close says which.
                        acknowledged.withLock { $0[name] = .some(nil) }
                        guard failureOfWriting(sandbox.path(name), bytes) == nil else { return }
                        acknowledged.withLock { $0[name] = bytes }
                        progress.withLock { $0 += 1 }
                        guard step % 3 == 2 else { continue }
                        acknowledged.withLock { $0["moved-\(name)"] = .some(nil) }
                        acknowledged.withLock { $0[name] = .some(nil) }
                        do { try rename(sandbox.path(name), to: sandbox.path("moved-\(name)")) } catch { return }
                        acknowledged.withLock { $0["moved-\(name)"] = bytes }
                        acknowledged.withLock { $0[name] = nil }
                    }
                }
                try eventually("the writers write") { progress.withLock { $0 } >= 5 + 7 * round }
                sandbox.kill9()
                _ = workers.wait()
                try sandbox.start()
                expected.merge(acknowledged.withLock { $0.compactMapValues { $0 } }) { $1 }
                for (name, bytes) in expected { #expect(try readFile(sandbox.path(name)) == bytes, "\(name)") }
            }
            try sandbox.settle()
            #expect(try sandbox.leftovers().isEmpty)
            // One object a file, each with the file's bytes: nothing lost, nothing orphaned.
            let files = try filesBelow(sandbox.mountPoint)
            for name in files { #expect(try sandbox.backedUp(name) == readFile(sandbox.path(name)), "\(name)") }
            let keys = try files.map { try sandbox.info($0).backupKey ?? "" }
            let kept = try sandbox.keptKeys()
            let orphans = try Set(sandbox.backup.keys()).symmetricDifference(keys)
            #expect(orphans.filter { key in !kept.contains { key.hasSuffix($0) } } == [])
            #expect(try filesBelow(sandbox.main).filter { !$0.hasPrefix(".backupfs/") } == files)
        }
    }

    @Test("Write.4: no object exists whose row a power cut could take", arguments: BackupKind.available)
    func recordBeforeObject(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, startsMounted: false) { sandbox in
            try sandbox.start(environment: ["BACKUPFS_FAILPOINT": "upload.record=delay:2000"])
            let before = try Set(sandbox.backup.keys())
            let isClosed = Mutex(false)
            let writer = Crowd(1) { _ in
                try? writeFile(sandbox.path("a.jpg"), photo(1))
                isClosed.withLock { $0 = true }
            }
            // The point holds the record up, and the object with it, for longer than this looks.
            for _ in 0..<10 {
                usleep(100_000)
                #expect(try Set(sandbox.backup.keys()).subtracting(before).filter { $0.hasPrefix("a") } == [])
                #expect(!isClosed.withLock { $0 })
            }
            _ = writer.wait()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test("Read.4: of a content that reached no storage nobody sees a length, once the file is open")
    func lostLength() async throws {
        try await Sandbox.run(.directory, startsMounted: false) { sandbox in
            try sandbox.start(environment: ["BACKUPFS_FAILPOINT": "upload.begun=kill@2"])
            try writeFile(sandbox.path("a.jpg"), photo(1, size: 9000))
            #expect(failureOfWriting(sandbox.path("a.jpg"), photo(2, size: 70_000)) != nil)
            sandbox.kill9()
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.backup.takeAway()
            try sandbox.start()
            // It may have arrived: nobody can be asked.
            #expect(try status(sandbox.path("a.jpg")).st_size == 70_000)
            try sandbox.backup.bringBack()
            let file = try OpenFile(sandbox.path("a.jpg"), O_RDONLY)
            defer { file.abandon() }
            var found = stat()
            #expect(fstat(file.number, &found) == 0 && found.st_size == 9000)
            var tail = [UInt8](repeating: 1, count: 8192)
            let count = pread(file.number, &tail, 4096, 8192)
            #expect(count == 808 && Array(tail[..<808]) == Array(photo(1, size: 9000)[8192...]))
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1, size: 9000))
        }
    }

    @Test(
        "Write.4: killed while uploads hang, or while their answers are lost: the next mount finishes them",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"), arguments: ["hang", "lose-answer"])
    func killedWhileUploading(_ mode: String) async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("old.jpg"), photo(1))
            try writeFile(sandbox.path("overwritten.jpg"), photo(2))
            try sandbox.proxy.set(mode, method: "PUT", path: "~")
            let writers = Crowd(4) { index in
                failureOfWriting(sandbox.path(index == 0 ? "overwritten.jpg" : "new-\(index).jpg"), photo(10 + index))
            }
            try eventually("all four uploads are under way") {
                try Set(sandbox.requests("PUT").filter { $0.mode == mode }.map(\.path)).count >= 4
            }
            sandbox.kill9()
            // A close that waits gets an error; it does not hang, and it does not say 0.
            for failure in writers.wait() { #expect(failure?.call == "close") }
            try sandbox.proxy.set("pass")
            try sandbox.start()
            for index in 0..<4 {
                let name = index == 0 ? "overwritten.jpg" : "new-\(index).jpg"
                #expect(try readFile(sandbox.path(name)) == photo(10 + index))
            }
            try sandbox.settle()
            #expect(try sandbox.backedUp("old.jpg") == photo(1))
            #expect(try sandbox.backedUp("overwritten.jpg") == photo(10))
            for index in 1..<4 { #expect(try sandbox.backedUp("new-\(index).jpg") == photo(10 + index)) }
            // What was uploaded without an answer was taken over or removed.
            #expect(try sandbox.backup.keys().count == 5 + sandbox.keptKeys().count)
            #expect(try sandbox.keptKeys().allSatisfy { $0.hasPrefix("overwritten~") })
        }
    }

    @Test(
        "Read.5: killed while it downloads: the next mount recovers the file",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
    func killedWhileRecovering() async throws {
        try await Sandbox.run(.s3) { sandbox in
            try writeFile(sandbox.path("a.jpg"), photo(1))
            try remove(sandbox.mainPath("a.jpg"))
            try sandbox.proxy.set("hang", method: "GET")
            let reader = Crowd(1) { _ in failureOfReading(sandbox.path("a.jpg")) }
            try eventually("the download is under way") { try sandbox.proxy.hits() > 0 }
            sandbox.kill9()
            #expect(reader.wait() != [nil])
            try sandbox.proxy.set("pass")
            try sandbox.start()
            #expect(try filesBelow(sandbox.mainPath(".backupfs/staging")).isEmpty)
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            #expect(try readFile(sandbox.mainPath("a.jpg")) == photo(1))
        }
    }

    @Test("Delete.2: killed before the removal: the name stays gone", arguments: BackupKind.available)
    func killedWhileDeleting(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind, options: shortClose) { sandbox in
            for index in 0..<5 { try writeFile(sandbox.path("\(index).jpg"), photo(index)) }
            try sandbox.backup.takeAway()
            for index in 0..<4 { try remove(sandbox.path("\(index).jpg")) }
            sandbox.kill9()
            try sandbox.backup.bringBack()
            try sandbox.start()
            #expect(try names(in: sandbox.mountPoint) == ["4.jpg"])
            try sandbox.settle()
            #expect(try sandbox.backup.keys() == [sandbox.info("4.jpg").backupKey])
            #expect(try readFile(sandbox.path("4.jpg")) == photo(4))
        }
    }

    @Test("What programs wrote and had not closed is there after the daemon's death", arguments: BackupKind.available)
    func unclosedSurvives(_ kind: BackupKind) async throws {
        try await Sandbox.run(kind) { sandbox in
            let file = try OpenFile(sandbox.path("a.jpg"), O_WRONLY | O_CREAT)
            try file.write(photo(1))
            sandbox.kill9()
            #expect(throws: CallFailure.self) { try file.close() }
            try sandbox.start()
            #expect(try readFile(sandbox.path("a.jpg")) == photo(1))
            try sandbox.settle()
            #expect(try sandbox.backedUp("a.jpg") == photo(1))
        }
    }

    @Test(
        "Killed again and again while it repairs",
        .enabled(if: S3Server.isThere, "needs BACKUPFS_TEST_S3_ENDPOINT"))
    func killedWhileRepairing() async throws {
        try await Sandbox.run(.s3, options: shortClose) { sandbox in
            try sandbox.shell("mkdir d; for n in $(seq 20); do echo $n > d/$n; done")
            try sandbox.backup.takeAway()
            let failures = concurrently(10) { index in failureOfWriting(sandbox.path("d/new-\(index)"), photo(index)) }
            #expect(failures.allSatisfy { $0 == CallFailure(call: "close", code: EIO) })
            try sandbox.shell("rm d/1 d/2 d/3; mv d e; mv e/4 e/5")
            for _ in 0..<4 {
                sandbox.kill9()
                try sandbox.start()
            }
            sandbox.kill9()
            try sandbox.backup.bringBack()
            try sandbox.start()
            try sandbox.settle()
            for index in 0..<10 { #expect(try sandbox.backedUp("e/new-\(index)") == photo(index)) }
            #expect(try readFile(sandbox.path("e/5")) == Array("4\n".utf8))
            let files = try filesBelow(sandbox.mountPoint)
            #expect(files.count == 26)
            #expect(try sandbox.backup.keys().count == 26)
            #expect(try filesBelow(sandbox.main).filter { !$0.hasPrefix(".backupfs/") } == files)
        }
    }
}
