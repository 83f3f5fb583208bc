// What every catalogue promises, whatever database is behind it, asked through its protocol only: the changes by their names,
// the questions, and here what holds for all of them: atomicity, order, durability, many threads, and the end.

import Catalogue
import Foundation
import Synchronization
import Testing

@Suite("Contract of every catalogue")
struct CatalogueContract {
    /// All that can be told of a catalogue's state, to compare.
    static func state(_ catalogue: any ResourceCatalogue) async throws -> String {
        try await catalogue.ask(.counts).debugText
            + catalogue.answer { reader throws(CatalogueError) in
                let rows = try (Int64(1)...60).map { number throws(CatalogueError) in
                    try reader.resource(ResourceID(number)).map { "\($0)" } ?? ""
                }
                let names = try reader.directories().map { directory throws(CatalogueError) in
                    try reader.list(directory.id, after: 0, limit: 1000).map { "\($0.cookie) \($0.name)" }
                }
                return """
                    \(rows) \(names) \(try reader.renameIntents()) \(try reader.nameIntents())
                    \(try reader.dueResources(now: .max, limit: 99)) \(try reader.dueRemovals(now: .max, limit: 99))
                    \(try reader.newestJournalEntry()) \(try reader.multipartUploads()) \(try reader.aheadOfBackup())
                    \(try reader.setAside(after: 0, limit: 99).map(\.id))
                    """
            }
    }

    @Test("A new catalogue has its root and its name, and getting them again changes nothing", arguments: all)
    func established(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let root = try subject.catalogue.row(.root)
        #expect(root.kind == .directory && root.status == .created && root.mode == 0o755 && root.linkCount == 2)
        #expect(try subject.catalogue.setting(Setting.catalogue) == "the catalogue")
        #expect(try subject.catalogue.path(of: .root) == [])
        #expect(try subject.catalogue.location(of: .root) == nil)
        try subject.catalogue.change(
            .powerLoss, .establish(NewAttributes(mode: 0o700, uid: 5, gid: 5), name: "the catalogue", now: 9))
        #expect(try subject.catalogue.row(.root) == root)
        #expect(try await subject.catalogue.ask(.counts).created == 0)
    }

    @Test("A change that throws has changed nothing, also after its first steps", arguments: all)
    func atomic(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let file = try subject.stored("a", version: "v1")
        let directory = try subject.create("d", .directory)
        try subject.create("inner", in: directory.id)
        let before = try await Self.state(subject.catalogue)
        #expect(throws: CatalogueError.nameTaken) { try subject.create("a", lists: [("user.x", [1])]) }
        #expect(throws: CatalogueError.notEmpty) { try subject.delete("d", directory: true) }
        #expect(throws: CatalogueError.isDirectory) { try subject.rename("a", to: "d") }
        // The first two of these could be adopted.
        #expect(throws: CatalogueError.self) {
            let found = AdoptedAttributes(
                mode: 0o600, uid: 0, gid: 0, size: 1, accessed: 1, modified: 1, changed: 1, target: nil, device: 0,
                inode: 77)
            let entries = ["x", "y", String(repeating: "z", count: 300)].map {
                Adoptable(kind: .file, name: bytes($0), attributes: found, linkedTo: nil)
            }
            _ = try subject.catalogue.change(
                .processCrash, .adopt(entries, sameAs: [nil, nil, nil], in: .root, isFirst: true))
        }
        #expect(throws: CatalogueError.noSuchResource) {
            _ = try subject.catalogue.change(
                .processCrash, .setXattr(ResourceID(999), "user.x", [1], mode: .any, now: 1))
        }
        #expect(try await Self.state(subject.catalogue) == before)
        #expect(try subject.catalogue.row(file.id) == file)
    }

    @Test("A failing change undoes only itself, not those that are committed with it", arguments: all)
    func independent(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        try subject.create("taken")
        let catalogue = subject.catalogue
        let outcomes = await withTaskGroup(of: Bool.self, returning: [Bool].self) { group in
            for index in 0..<50 {
                group.addTask {
                    let name = index.isMultiple(of: 5) ? "taken" : "file \(index)"
                    let made = try? await catalogue.changeLater(
                        .powerLoss,
                        .create(
                            .file, Dentry(.root, bytes(name)), NewAttributes(mode: 0o600, uid: 0, gid: 0),
                            lists: [], now: 1))
                    return made != nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 } == 40)
        #expect(try subject.names().count == 41)
    }

    @Test(
        "What is recorded is committed before every later change, in its order, and told to its caller", arguments: all)
    func order(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        let heard = Mutex<[Int]>([])
        for number in 1...20 {
            subject.catalogue.record(.markInMain(file.id, inode: UInt64(number)), patiently: number.isMultiple(of: 2)) {
                result in
                if case .success = result { heard.withLock { $0.append(number) } }
            }
        }
        let renamed = try subject.rename("a", to: "b", inode: 3)
        #expect(renamed.moved.inMain && renamed.moved.mainInode == 20)
        #expect(heard.withLock { $0 } == Array(1...20))
    }

    @Test("What is recorded alone is committed, too; a failure is told, and stops nothing", arguments: all)
    func recorded(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let done = await withCheckedContinuation { continuation in
            catalogue.record(.set(["key": "value"]), patiently: true) { continuation.resume(returning: $0) }
        }
        guard case .success = done else {
            Issue.record("\(done)")
            return
        }
        #expect(try catalogue.setting("key") == "value")
        let refused = await withCheckedContinuation { continuation in
            catalogue.record(
                .delete(Dentry(.root, bytes("nothing")), directory: false, now: 1), patiently: false
            ) { continuation.resume(returning: $0.map(\.row.id)) }
        }
        #expect(refused == .failure(.noSuchResource))
        #expect(try subject.create("a").id > .root)
    }

    @Test(
        "A change that was answered, and one that became durable later, are there after the next opening",
        arguments: all)
    func durable(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        try subject.catalogue.change(.powerLoss, .set(["one": "1"]))
        try await subject.catalogue.changeLater(.processCrash, .set(["two": "2"]))
        subject.catalogue.record(.set(["three": "3"]), patiently: false) { _ in }
        try await subject.catalogue.becomeDurable()
        try subject.catalogue.change(.processCrash, .set(["four": "4"]))
        let before = try await Self.state(subject.catalogue)
        try subject.reopen()
        #expect(try subject.lookup("a") == file)
        #expect(try ["one", "two", "three", "four"].map { try subject.catalogue.setting($0) } == ["1", "2", "3", "4"])
        #expect(try await Self.state(subject.catalogue) == before)
        try subject.catalogue.checkIntegrity()
    }

    @Test("Numbers are never given twice, not even those of what was taken back before it was closed", arguments: all)
    func numbers(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let first = try subject.create("a")
        try subject.catalogue.change(.powerLoss, .undoCreate(first.id, now: 300))
        try subject.reopen()
        #expect(try subject.create("b").id > first.id)
    }

    @Test("A question is about one moment, whatever is changed meanwhile", arguments: all)
    func snapshot(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        let catalogue = subject.catalogue
        let (before, after) = try catalogue.answer { reader throws(CatalogueError) in
            let before = try reader.resource(file.id)
            let changed = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                try? catalogue.change(.processCrash, .markInMain(file.id, inode: 3))
                changed.signal()
            }
            changed.wait()
            return (before, try reader.resource(file.id))
        }
        #expect(before == after && after?.inMain == false)
        #expect(try catalogue.row(file.id).inMain)
    }

    @Test("Many threads at once: every change is there once, and every question is answered", arguments: all)
    func threads(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let failures = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for number in 0..<20 {
                do {
                    let row = try catalogue.change(
                        number.isMultiple(of: 10) ? .powerLoss : .processCrash,
                        .create(
                            .file, Dentry(.root, bytes("\(thread) \(number)")),
                            NewAttributes(mode: 0o600, uid: 0, gid: 0), lists: [], now: 1))
                    catalogue.record(.markInMain(row.id, inode: 5), patiently: true) { _ in }
                    if try catalogue.path(of: row.id) == nil { failures.add(1, ordering: .relaxed) }
                } catch {
                    failures.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(failures.load(ordering: .relaxed) == 0)
        // Every mark was recorded before this.
        try catalogue.change(.processCrash, .set(["the": "last"]))
        let entries = try catalogue.list(.root, after: 0, limit: 1000)
        #expect(entries.count == 160 && Set(entries.map(\.resource.id)).count == 160)
        #expect(entries.allSatisfy { $0.resource.inMain })
        #expect(try await catalogue.ask(.counts).creating == 160)
    }

    @Test("Questions that come while it closes, or later, fail and harm nothing; so do changes", arguments: all)
    func closing(_ tested: TestedCatalogue) async throws {
        for _ in 1...10 {
            let subject = try ContractSubject(tested)
            let catalogue = subject.catalogue
            let (reading, ended) = (DispatchSemaphore(value: 0), DispatchGroup())
            for _ in 0..<8 {
                ended.enter()
                Thread.detachNewThread {
                    while (try? catalogue.row(.root)) != nil { reading.signal() }
                    ended.leave()
                }
            }
            for _ in 0..<20 { reading.wait() }
            try catalogue.close()
            ended.wait()
            #expect(throws: CatalogueError.self) { try catalogue.change(.powerLoss, .set(["key": "value"])) }
            #expect(throws: CatalogueError.self) { try catalogue.setting("key") }
            await #expect(throws: CatalogueError.self) { try await catalogue.ask(.counts) }
            let heard = await withCheckedContinuation { continuation in
                catalogue.record(.set(["key": "value"]), patiently: false) { continuation.resume(returning: $0) }
            }
            guard case .failure = heard else {
                Issue.record("a change was committed after the end")
                return
            }
        }
    }
}

/// Every database that there is.
let all = TestedCatalogue.allCases

extension ResourceCounts {
    fileprivate var debugText: String { "\(self)" }
}
