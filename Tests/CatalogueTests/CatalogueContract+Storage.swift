import Catalogue
import Testing

// Attributes, and where the bytes are.

extension CatalogueContract {
    @Test("Extended attributes: set, created, replaced, removed, and not of what is deleted", arguments: all)
    func xattrs(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.create("a")
        func set(_ value: [UInt8], _ mode: XattrMode) throws -> XattrOutcome {
            try catalogue.change(.powerLoss, .setXattr(file.id, "user.x", value, mode: mode, now: 300))
        }
        #expect(try set([1], .replace) == .missing)
        #expect(try set([1], .create) == .set)
        #expect(try set([2], .create) == .exists)
        #expect(try catalogue.xattr(file.id, "user.x") == [1])
        #expect(try set([2], .replace) == .set && set([], .any) == .set)
        #expect(try catalogue.xattr(file.id, "user.x") == [] && catalogue.xattrNames(file.id) == ["user.x"])
        #expect(try catalogue.row(file.id).changed == 300)
        #expect(try catalogue.change(.powerLoss, .removeXattr(file.id, "user.x", now: 301)))
        #expect(try !catalogue.change(.powerLoss, .removeXattr(file.id, "user.x", now: 302)))
        #expect(try catalogue.row(file.id).changed == 301 && catalogue.xattrNames(file.id).isEmpty)
        try subject.delete("a")
        #expect(throws: CatalogueError.noSuchResource) { try set([1], .any) }
    }

    @Test("SetAttributes.1: the row and its list change together, as the body says", arguments: all)
    func attributes(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a", lists: [("list", [1])])
        let changed = try subject.catalogue.change(
            .powerLoss,
            .setAttributes(file.id, list: "list", now: 300) { row, list in
                var row = row
                row.mode = 0o600
                row.modified = 77
                return (row, list.map { $0 + [2] })
            })
        #expect(changed.mode == 0o600)
        let row = try subject.catalogue.row(file.id)
        #expect(row.mode == 0o600 && row.modified == 77 && row.status == file.status)
        #expect(try subject.catalogue.xattr(file.id, "list") == [1, 2])
        #expect(throws: CatalogueError.noSuchResource) {
            _ = try subject.catalogue.change(
                .powerLoss, .setAttributes(ResourceID(99), list: "list", now: 1) { ($0, $1) })
        }
    }

    @Test("SetAttributes.3: a new time is the main copy's own, unless main has another copy by now", arguments: all)
    func modified(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        var file = try subject.stored("a", version: "v1")
        // A time says nothing of what is on the disk.
        try subject.catalogue.change(.processCrash, .noteModified(file.id, inode: 9, modified: 4))
        #expect(try subject.catalogue.row(file.id).modified == 4)
        #expect(try subject.catalogue.row(file.id).mainModified == MainCopy.unsynced)
        try subject.catalogue.change(.processCrash, .markMainCopy(file.id, inode: 9, modified: 4))
        file = try subject.catalogue.row(file.id)
        try subject.catalogue.change(.processCrash, .noteModified(file.id, inode: 8, modified: 5))
        #expect(try subject.catalogue.row(file.id) == file)
        try subject.catalogue.change(.processCrash, .noteModified(file.id, inode: 9, modified: 5))
        let row = try subject.catalogue.row(file.id)
        #expect(row.modified == 5 && row.mainModified == 5)
        try subject.catalogue.change(.processCrash, .noteModified(ResourceID(99), inode: 9, modified: 5))
    }

    @Test("Settings are remembered, one value each; a time on record can be limited, not raised", arguments: all)
    func settings(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        try catalogue.change(.powerLoss, .set(["a": "1", "b": "x"]))
        try catalogue.change(.powerLoss, .set(["a": "100"]))
        #expect(try await catalogue.ask(.setting("a")) == "100")
        #expect(try catalogue.setting("b") == "x" && catalogue.setting("c") == nil)
        for limit: Nanoseconds in [200, 50, 70] { try catalogue.change(.processCrash, .limit("a", to: limit)) }
        try catalogue.change(.processCrash, .limit("c", to: 5))
        #expect(try catalogue.setting("a") == "50" && catalogue.setting("c") == nil)
    }

    @Test("Write.3: in main a directory or link is created, and a file waits for its upload", arguments: all)
    func inMain(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let rows = try [
            subject.create("f"), subject.create("d", .directory), subject.create("l", .symlink),
        ]
        #expect(try subject.catalogue.creating().map(\.id) == rows.map(\.id))
        for row in rows { try subject.catalogue.change(.processCrash, .markInMain(row.id, inode: UInt64.max)) }
        let marked = try rows.map { try subject.catalogue.row($0.id) }
        #expect(marked.map(\.status) == [.creating, .created, .created])
        #expect(marked.map(\.needsUpload) == [true, false, false])
        #expect(marked.allSatisfy { $0.inMain && $0.mainInode == UInt64.max })
        #expect(try subject.catalogue.creating().isEmpty)
        // Nobody is to upload it yet: its writer will.
        #expect(try subject.due().isEmpty)
    }

    @Test("What is found out late about a live file changes nothing of a deleted one", arguments: all)
    func lateFindings(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "va")
        try catalogue.change(.processCrash, .markMainCopy(file.id, inode: 7, modified: 5))
        let seen = try catalogue.row(file.id)
        try catalogue.change(.processCrash, .markMainCopy(file.id, inode: 8, modified: 5))
        // Main has got another copy since.
        try catalogue.change(.processCrash, .markNotInMain(seen))
        #expect(try catalogue.row(file.id).inMain)
        try subject.delete("a", now: 600)
        let deleted = try catalogue.row(file.id)
        try catalogue.change(.processCrash, .markNotInMain(deleted))
        try catalogue.change(.processCrash, .settle(file.id))
        let isLost = try catalogue.change(.processCrash, .loseChange(file.id, error: "lost", now: 700) { true })
        #expect(!isLost)
        #expect(try catalogue.row(file.id) == deleted)
        #expect(try subject.due(now: 600) == [file.id])
    }

    @Test(
        "Read.3 and Read.7: main lost its copy, backup lost the version that the row names, and only that",
        arguments: all)
    func losses(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "v1")
        let first = try #require(try catalogue.storedVersion(of: file))
        try catalogue.change(.processCrash, .markNotInMain(file))
        #expect(try !catalogue.row(file.id).inMain)
        try subject.begin("v2", of: file)
        try subject.commit("v2", of: file)
        #expect(try !catalogue.change(.powerLoss, .loseVersion(first, error: "gone")))
        let row = try catalogue.row(file.id)
        #expect(row.inBackup && row.lastError == nil)
        let second = try #require(try catalogue.storedVersion(of: row))
        #expect(try catalogue.change(.powerLoss, .loseVersion(second, error: "gone")))
        let lost = try catalogue.row(file.id)
        #expect(!lost.inBackup && lost.lastError == "gone" && lost.version == second.id)
        try catalogue.change(.powerLoss, .markInBackup(file.id))
        #expect(try catalogue.row(file.id).inBackup && catalogue.row(file.id).lastError == nil)
        let never = try subject.create("never")
        try catalogue.change(.powerLoss, .markInBackup(never.id))
        #expect(try !catalogue.row(never.id).inBackup)
    }

    @Test(
        "Objects that a comparison misses: from main again, or in no storage, or not named any more; and their return",
        arguments: all)
    func noteLosses(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let rows = try [("a", "v1"), ("b", "v2"), ("c", "v3")].map { try subject.stored($0, version: $1) }
        let versions = try rows.map { try #require(try catalogue.storedVersion(of: $0)) }
        try subject.delete("c")
        let found = zip(versions, [true, false, true]).map {
            FoundLoss(version: $0, hasMainCopy: $1, error: "missing")
        }
        let noted = try catalogue.change(.powerLoss, .noteLosses(found, now: 50))
        let kinds = noted.map { loss in
            switch loss?.loss {
            case .uploadedAgain: "again"
            case .inNoStorage: "nowhere"
            case nil: "not named"
            }
        }
        #expect(kinds == ["again", "nowhere", "not named"])
        #expect(noted.compactMap(\.?.path) == [[bytes("a")], [bytes("b")]])
        #expect(try subject.due(now: 50) == [rows[0].id])
        #expect(try catalogue.row(rows[0].id).needsUpload && !catalogue.row(rows[1].id).inMain)
        #expect(
            try await catalogue.ask(.storedObjects(after: "", through: "~", limit: 9)).map(\.inBackup) == [
                false, false,
            ])
        try catalogue.change(.powerLoss, .noteReturn(of: versions))
        #expect(try catalogue.row(rows[1].id).inBackup && catalogue.row(rows[1].id).lastError == nil)
        #expect(try catalogue.row(rows[0].id).inBackup && catalogue.row(rows[0].id).needsUpload)
        #expect(try catalogue.row(rows[2].id).status == .deleted)
    }

    @Test("A creation that the last run left is finished as main has it", arguments: all)
    func finishCreation(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let (there, begun, nothing) = (try subject.create("a"), try subject.create("b"), try subject.create("c"))
        try subject.begin("v1", of: begun)
        try catalogue.change(.processCrash, .finishCreation(there.id, inode: 4, now: 300))
        for row in [begun, nothing] {
            try catalogue.change(.processCrash, .finishCreation(row.id, inode: nil, now: 300))
        }
        #expect(try catalogue.row(there.id).mainInode == 4 && catalogue.row(there.id).needsUpload)
        #expect(try catalogue.row(begun.id).needsUpload && catalogue.begunUpload(begun.id)?.id == VersionID("v1"))
        #expect(try catalogue.resource(nothing.id) == nil)
    }

    @Test(
        "A main copy that a power cut may have torn is not the file any more, unless its upload was begun",
        arguments: all)
    func distrust(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let rows = try [("a", "v1"), ("b", "v2")].map { try subject.stored($0, version: $1) }
        for row in rows { try catalogue.change(.processCrash, .needsUpload(row.id, due: 9)) }
        #expect(try catalogue.aheadOfBackup().map(\.id) == rows.map(\.id))
        try subject.begin("v3", of: rows[1])
        for row in rows { try catalogue.change(.processCrash, .distrust(row, now: 300)) }
        let now = try rows.map { try catalogue.row($0.id) }
        #expect(now.map(\.inMain) == [false, false] && now.map(\.needsUpload) == [false, true])
        #expect(try subject.due() == [rows[1].id])
    }

    @Test("What main held at first gets its rows once, with its times; hard links are one resource", arguments: all)
    func adopt(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let root = try catalogue.row(.root)
        let known = try subject.create("known")
        let times = try catalogue.row(.root)
        let found = AdoptedAttributes(
            mode: 0o640, uid: 3, gid: 4, size: 12, accessed: 21, modified: 22, changed: 23, target: nil, device: 0,
            inode: 77)
        func entry(_ name: String, _ kind: Resource.Kind = .file, linkedTo: ResourceID? = nil) -> Adoptable {
            Adoptable(kind: kind, name: bytes(name), attributes: found, linkedTo: linkedTo)
        }
        let entries = [entry("f"), entry("d", .directory), entry("g"), entry("known")]
        for _ in 1...2 {
            let adopted = try catalogue.change(
                .processCrash, .adopt(entries, sameAs: [nil, nil, 0, nil], in: .root, isFirst: true))
            #expect(adopted.count == 4 && adopted[2] == adopted[0] && adopted[3] == known.id)
        }
        let file = try #require(try subject.lookup("f"))
        #expect(file.inMain && file.needsUpload && file.status == .creating && file.mainInode == 77)
        #expect(file.size == 12 && file.modified == 22 && file.changed >= 23 && file.linkCount == 2)
        #expect(try subject.lookup("d")?.status == .created && subject.lookup("g")?.id == file.id)
        #expect(try catalogue.isAdopted(file.id) && !catalogue.isAdopted(known.id))
        #expect(try catalogue.row(.root).modified == times.modified && root.linkCount == 2)
        #expect(try catalogue.nameIntents().isEmpty && subject.due() == [file.id])
        let count = try #require(try await catalogue.ask(.adoption(known: nil)))
        #expect(count.files == 1 && count.pending == 1)
        try subject.begin("v1", of: file)
        try subject.commit("v1", of: file)
        let later = try #require(try await catalogue.ask(.adoption(known: 5)))
        #expect(later.files == 5 && later.pending == 0)
    }

    @Test(
        "What was set aside is on record until it is forgotten, and is unsettled on its way in both directions",
        arguments: all)
    func aside(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.create("a")
        let path = [bytes("d"), [0xff, 0x0a]]
        let first = try catalogue.change(.powerLoss, .addAside(path, .damaged, of: file.id, now: 5))
        let second = try catalogue.change(.powerLoss, .addAside([bytes("x")], .unknown, of: nil, now: 6))
        #expect(try catalogue.unsettledAside().map(\.id) == [first, second])
        try catalogue.change(.processCrash, .settleAside(first))
        #expect(try catalogue.unsettledAside().map(\.id) == [second])
        let entry = try #require(try catalogue.setAside(first))
        #expect(entry.path == path && entry.reason == .damaged && entry.resource == file.id && entry.since == 5)
        #expect(entry.target == nil)
        try catalogue.change(.powerLoss, .beginRestore(first, Dentry(.root, bytes("b"))))
        let returning = try #require(try await catalogue.ask(.setAside(first)))
        #expect(returning.target?.parent == .root && returning.target?.name == bytes("b"))
        #expect(try catalogue.unsettledAside().map(\.id) == [first, second])
        try catalogue.change(.processCrash, .settleAside(first))
        #expect(try catalogue.setAside(first)?.target == nil)
        #expect(try await catalogue.ask(.setAside(after: first, limit: 9)).map(\.id) == [second])
        #expect(try await catalogue.ask(.counts).aside == 2)
        try catalogue.change(.powerLoss, .forgetAside(second))
        #expect(try catalogue.setAside(second) == nil)
        #expect(try catalogue.setAside(after: 0, limit: 9).map(\.id) == [first])
        #expect(try catalogue.change(.powerLoss, .addAside(path, .notWritten, of: nil, now: 7)) > second)
    }
}
