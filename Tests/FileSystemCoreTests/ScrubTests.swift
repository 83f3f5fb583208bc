// The bucket is compared with the catalogue: what was lost behind the mount is found, told, and uploaded again.

import Catalogue
import FoundationEssentials
import Glibc
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@testable import FileSystemCore

extension FileSystemOperator {
    /// One comparison, and what it found in one piece.
    fileprivate func compared() async throws -> (report: ObjectReport, findings: [ObjectReport.Finding]) {
        let findings = Mutex<[ObjectReport.Finding]>([])
        let report = try await checkObjects { page in findings.withLock { $0 += page } }
        return (report, findings.withLock { $0 })
    }
}

@Suite("The bucket and the catalogue compared")
struct ScrubTests {
    @Test("A bucket that is as it should be: nothing found, and a request for each page only")
    func sound() async throws {
        try await TestFileSystem.run { system in
            try system.makeDirectory("a")
            for name in ["a/b.jpg", "a-b.jpg", "a.jpg"] { try await system.write(name, photo(1)) }
            try await system.settle()
            system.memory.forgetRequests()
            let (report, findings) = try await system.core.operatorDesk.compared()
            #expect(findings == [] && report.objects == 3 && report.isSound && report.unknown == 0)
            #expect(report.finishedAt != nil)
            #expect(try await system.core.operatorDesk.status().objects == report)
            #expect(system.memory.count(.list, .exactly("")) == 2 && system.memory.count(.head) == 0)
        }
    }

    @Test("A lost object is uploaded again from main, whether the file is open or not; a cut one is replaced")
    func lostWithMain() async throws {
        try await TestFileSystem.run { system in
            for (number, name) in ["lost.jpg", "open.jpg", "cut.jpg", "whole.jpg"].enumerated() {
                try await system.write(name, photo(number))
            }
            let handle = try await system.open("open.jpg")
            let keys = try ["lost.jpg", "open.jpg", "cut.jpg"].map { try system.key($0) }
            system.memory[keys[0]] = nil
            system.memory[keys[1]] = nil
            system.memory[keys[2]]?.bytes.removeLast()
            let (report, findings) = try await system.core.operatorDesk.compared()
            #expect(report.missing == 2 && report.damaged == 1 && report.unknown == 0 && !report.isSound)
            #expect(Set(findings.compactMap(\.key)) == ["lost.jpg", "open.jpg", "cut.jpg"])
            #expect(findings.allSatisfy { $0.action == "uploaded again from main" })
            #expect(findings.first { $0.key == "cut.jpg" }?.problem == .damaged)
            try await system.settle()
            for (number, name) in ["lost.jpg", "open.jpg", "cut.jpg"].enumerated() {
                #expect(system.memory[try system.key(name)]?.bytes == photo(number))
                #expect(try system.row(name)?.inBackup == true)
            }
            #expect(system.memory[keys[2]] == nil, "the cut object is gone")
            system.core.close(handle)
            #expect(try await system.core.operatorDesk.compared().report.isSound)
        }
    }

    @Test("A lost object of a file that main has under its other name only is uploaded again")
    func underAnotherName() async throws {
        try await TestFileSystem.run { system in
            for lost in ["a.jpg", "b.jpg"] {
                try await system.write("a.jpg", photo(1))
                _ = try system.core.link(try system.id("a.jpg"), Dentry(.root, Array("b.jpg".utf8)))
                try await system.settle()
                system.memory[try system.key("a.jpg")] = nil
                unlink(system.mainPath(lost))
                #expect(
                    try await system.core.operatorDesk.compared().findings.map(\.action) == ["uploaded again from main"]
                )
                try await system.settle()
                #expect(system.memory[try system.key("a.jpg")]?.bytes == photo(1))
                for name in ["a.jpg", "b.jpg"] { try system.remove(name) }
                try await system.settle()
            }
        }
    }

    @Test("What is uploaded again keeps its time, also where a power cut has taken that from main")
    func time() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let time = Nanoseconds(1_131_562_214) * 1_000_000_000
            _ = try system.core.setAttributes(try system.id("a.jpg"), AttributeChanges(modified: .to(time)))
            let torn = [timespec](repeating: timespec(tv_sec: 1_795_646_251, tv_nsec: 0), count: 2)
            #expect(utimensat(AT_FDCWD, system.mainPath("a.jpg"), torn, 0) == 0)
            let key = try system.key("a.jpg")
            system.memory[key] = nil
            _ = try await system.core.operatorDesk.compared()
            try await system.settle()
            #expect(try system.key("a.jpg") != key)
            #expect(try system.row("a.jpg")?.modified == time)
        }
    }

    @Test("A file that neither main nor backup has is a leftover, until its object is back")
    func lostEverywhere() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let key = try system.key("a.jpg")
            let object = system.memory[key]
            system.memory[key] = nil
            unlink(system.mainPath("a.jpg"))
            let findings = try await system.core.operatorDesk.compared().findings
            #expect(findings.map(\.problem) == [.missing] && findings.map(\.action) == ["no storage has the file"])
            let leftovers = try await system.core.operatorDesk.leftovers()
            #expect(leftovers.map(\.reason) == ["in no storage"])
            #expect(leftovers.allSatisfy { $0.lastError?.contains(key) == true })
            await #expect(throws: FileSystemError.self) { try await system.read("a.jpg") }
            // It is found again each time, and told once.
            #expect(try await system.core.operatorDesk.compared().report.missing == 1)
            system.memory[key] = object
            #expect(try await system.core.operatorDesk.compared().report.isSound)
            #expect(try await system.core.operatorDesk.leftovers().isEmpty)
            #expect(try await system.read("a.jpg") == photo(1))
        }
    }

    @Test("All objects gone: every file is uploaded again")
    func allGone() async throws {
        try await TestFileSystem.run { system in
            for number in 0..<300 { try await system.write("\(number).jpg", photo(number, size: 10)) }
            for key in system.memory.keys where !key.hasPrefix(".backupfs/") { system.memory[key] = nil }
            let report = try await system.core.operatorDesk.compared().report
            #expect(report.missing == 300 && report.objects == 0)
            try await system.settle()
            for number in 0..<300 {
                #expect(system.memory[try system.key("\(number).jpg")]?.bytes == photo(number, size: 10))
            }
        }
    }

    @Test("What is not ours stays as it is, on however many pages")
    func unknown() async throws {
        try await TestFileSystem.run { system in
            try await system.write("m.jpg", photo(1))
            for number in 0..<1100 { system.memory["a\(number)"] = .init(bytes: [1]) }
            system.memory["z/theirs.jpg"] = .init(bytes: [2])
            let before = system.memory.keys.filter { !$0.hasPrefix(".backupfs/") }
            let (report, findings) = try await system.core.operatorDesk.compared()
            #expect(report.unknown == 1101 && report.objects == 1102 && report.isSound)
            #expect(findings.count == 1101 && findings.allSatisfy { $0.problem == .unknown && $0.key == nil })
            #expect(system.memory.keys.filter { !$0.hasPrefix(".backupfs/") } == before)
        }
    }

    @Test("Another bucket than ours, and one that is down, prove nothing")
    func otherBucket() async throws {
        try await TestFileSystem.run { system in
            try await system.write("a.jpg", photo(1))
            let objects = system.memory.keys.map { ($0, system.memory[$0]) }
            for (key, _) in objects { system.memory[key] = nil }
            await #expect(throws: FileSystemError.self) { try await system.core.operatorDesk.compared() }
            #expect(try system.row("a.jpg")?.inBackup == true)
            #expect(try await system.core.operatorDesk.status().objects == nil)
            for (key, object) in objects { system.memory[key] = object }
            system.store.inject(.fail(down), on: [.list, .head])
            await #expect(throws: FileSystemError.self) { try await system.core.operatorDesk.compared() }
            #expect(try system.row("a.jpg")?.inBackup == true)
            system.store.heal()
        }
    }

    @Test("A bucket that was emptied, marker and all, is filled again when its owner says so; another's never is")
    func newBucket() async throws {
        try await TestFileSystem.run { system in
            for number in 0..<3 { try await system.write("\(number).jpg", photo(number)) }
            await system.stop()
            for key in system.memory.keys { system.memory[key] = nil }
            try await system.openUnstarted()
            let location = system.memory.location
            await #expect(throws: OwnershipError.markerMissing(location: location)) {
                try await system.core.claimPrefix(deadline: .now + .seconds(120))
            }
            #expect(system.memory.keys == [])
            system.memory[PrefixNeighbours.marker] = .init(bytes: Array(#"{"catalogue":"other","format":1}"#.utf8))
            await #expect(throws: OwnershipError.belongsToAnother(location: location)) {
                try await system.core.claimPrefix(isNew: true, deadline: .now + .seconds(120))
            }
            #expect(system.memory.keys == [PrefixNeighbours.marker])
            system.memory[PrefixNeighbours.marker] = nil
            try await system.core.claimPrefix(isNew: true, deadline: .now + .seconds(120))
            try system.start()
            try await system.eventually("the loss is found") {
                try await system.core.operatorDesk.status().objects?.missing == 3
            }
            try await system.settle()
            for number in 0..<3 { #expect(system.memory[try system.key("\(number).jpg")]?.bytes == photo(number)) }
            try await system.restart()
            #expect(try await system.core.operatorDesk.compared().report.isSound)
        }
    }

    @Test("A file that is replaced or removed while it is compared is not lost")
    func replacedMeanwhile() async throws {
        try await TestFileSystem.run { system in
            for name in ["changed.jpg", "removed.jpg"] { try await system.write(name, photo(1)) }
            let gate = Gate()
            system.store.inject(.holdAnswer(gate), on: [.list])
            async let compared = system.core.operatorDesk.compared()
            await gate.reached()
            try await system.write("changed.jpg", photo(2))
            try await system.write("new.jpg", photo(3))
            try system.remove("removed.jpg")
            gate.open()
            #expect(try await compared.findings == [])
            #expect(try await system.read("changed.jpg") == photo(2))
            try await system.settle()
        }
    }

    @Test("By itself: it begins in its time, goes on after a stop, and tells status")
    func byItself() async throws {
        try await TestFileSystem.run(scrubInterval: .milliseconds(50)) { system in
            try await system.write("a.jpg", photo(1))
            let key = try system.key("a.jpg")
            system.memory[key] = nil
            try await system.eventually("the loss is found and made good") {
                guard let row = try system.row("a.jpg"), row.inBackup else { return false }
                return try system.memory[system.key("a.jpg")]?.bytes == photo(1)
            }
            try await system.eventually("status tells") { try await system.core.operatorDesk.status().objects != nil }
            try await system.restart()
            #expect(try await system.core.operatorDesk.status().objects != nil)
        }
    }
}
