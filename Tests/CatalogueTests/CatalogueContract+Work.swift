import Catalogue
import Testing

// Removals, the journal, what is due, and what operators ask.

extension CatalogueContract {
    @Test(
        "Delete.4 to Delete.6: main, the versions and the row of a deleted file go one after the other", arguments: all)
    func removal(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "v1")
        // A live file's versions are nobody's to hand over, and it has a main copy.
        try catalogue.change(.processCrash, .handOverVersions(of: [file.id], now: 5))
        try catalogue.change(.processCrash, .markDeletedNotInMain(file.id, isDone: false))
        #expect(try catalogue.row(file.id) == file && subject.removals().isEmpty)
        try subject.delete("a", now: 200)
        #expect(try await subject.leftovers().map(\.reason) == [.deletedButStored])
        try catalogue.change(.processCrash, .handOverVersions(of: [file.id], now: 201))
        // I15: the journal has not told it yet.
        let early = try catalogue.dueRemovals(now: 201, limit: 9)
        #expect(try early.isEmpty && catalogue.nextDueRemoval() == nil)
        #expect(try catalogue.unwantedVersions(of: file.id).isEmpty)
        #expect(try subject.removals(now: 201) == ["v1"] && subject.due(now: 201) == [file.id])
        try catalogue.change(.processCrash, .markDeletedNotInMain(file.id, isDone: true))
        let row = try catalogue.row(file.id)
        #expect(!row.inMain && row.mainInode == 9 && row.inBackup)
        #expect(try subject.due().isEmpty && catalogue.nextDueRemoval() == 201)
        try catalogue.change(.processCrash, .forget(ids(["v1", "none"])))
        let gone = try catalogue.row(file.id)
        #expect(gone.status == .deleted && !gone.inBackup && gone.version == nil && gone.deletedAt == 200)
        #expect(try catalogue.version(VersionID("v1")) == nil && catalogue.nextDueRemoval() == nil)
        #expect(try await subject.leftovers().isEmpty)
    }

    @Test("Delete.7: failed removals are leftovers with their reason, and due when they are to be", arguments: all)
    func failedRemovals(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let live = try subject.stored("a", version: "v1")
        try subject.begin("v2", of: live)
        try subject.commit("v2", of: live)
        try subject.begin("v3", of: live, content: 1)
        try subject.begin("v4", of: live, content: 2)
        let deleted = try subject.stored("b", version: "v5")
        try subject.delete("b", now: 250)
        try catalogue.change(.processCrash, .handOverVersions(of: [deleted.id], now: 251))
        let failures = try ["v1", "v3", "v5"].map {
            RemovalFailure(
                version: try #require(try catalogue.version(VersionID($0))), error: "\($0) is held", next: 900)
        }
        try catalogue.change(.processCrash, .noteRemovalFailures(failures, now: 300))
        #expect(try subject.removals(now: 899).isEmpty && subject.removals(now: 900) == ["v1", "v3", "v5"])
        #expect(try catalogue.dueRemovals(now: 900, limit: 2).map(\.attempts) == [1, 1])
        #expect(try catalogue.row(deleted.id).lastError == "v5 is held" && catalogue.row(live.id).lastError == nil)
        let leftovers = try await subject.leftovers()
        #expect(leftovers.map(\.reason) == [.deletedButStored, .supersededVersion, .abandonedVersion])
        #expect(leftovers.map(\.lastError) == ["v5 is held", "v1 is held", "v3 is held"])
        #expect(leftovers.map(\.path) == [[bytes("b")], [bytes("a")], [bytes("a")]])
        #expect(try await catalogue.ask(.leftoverCount) == 3)
        #expect(try await catalogue.ask(.counts).pendingRemovals == 4)
    }

    @Test("Main that does not let go of a deleted file is a failure of the row's, with its time", arguments: all)
    func failedDelete(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.stored("a", version: "v1")
        try subject.delete("a", now: 200)
        for _ in 1...2 {
            try subject.catalogue.change(
                .processCrash, .noteDeleteFailure(file.id, error: "busy", now: 300) { Nanoseconds($0 + 1) * 100 })
        }
        #expect(try subject.due(now: 499).isEmpty && subject.due(now: 500) == [file.id])
        #expect(try subject.catalogue.row(file.id).lastError == "busy")
    }

    @Test(
        "When what failed may succeed again, or the clock went back, it is due: so much at a time, and nothing else",
        arguments: all)
    func failuresDue(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        for index in 1...5 {
            let row = try subject.create("f\(index)")
            try catalogue.change(.processCrash, .needsUpload(row.id, due: 0))
            try catalogue.change(.processCrash, .noteUploadFailure(row.id, error: "down", now: 10) { _ in 9000 })
        }
        let waiting = try subject.create("waiting")
        try catalogue.change(.processCrash, .needsUpload(waiting.id, due: 9000))
        #expect(try catalogue.change(.processCrash, .makeFailuresDue(now: 20, limit: 3)))
        #expect(try subject.due(now: 20).count == 3)
        #expect(try !catalogue.change(.processCrash, .makeFailuresDue(now: 20, limit: 3)))
        #expect(try subject.due(now: 8999).count == 5)
        #expect(try !catalogue.change(.processCrash, .clampDue(to: 9000, limit: 3)))
        #expect(try !catalogue.change(.processCrash, .clampDue(to: 500, limit: 3)))
        #expect(try subject.due(now: 499).count == 5 && subject.due(now: 500).count == 6)
    }

    @Test("What is due comes in the order of its time, and no more than asked for", arguments: all)
    func dueOrder(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let rows = try [Nanoseconds(30), 10, 20].map { due in
            let row = try subject.create("\(due)")
            try subject.catalogue.change(.processCrash, .needsUpload(row.id, due: due))
            return row.id
        }
        #expect(try subject.due(now: 30) == [rows[1], rows[2], rows[0]])
        #expect(try subject.catalogue.dueResources(now: 30, limit: 2).map(\.resource.id) == [rows[1], rows[2]])
        #expect(try subject.catalogue.nextDueResource(after: 10) == 20)
        #expect(try subject.catalogue.nextDueResource(after: 30) == nil)
    }

    @Test("A start finds uploads that are wanted no more, and no others", arguments: all)
    func unwantedUploads(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let (settled, waiting, deleted) = (
            try subject.stored("a", version: "v1"), try subject.create("b"), try subject.create("c")
        )
        for row in [waiting, deleted] { try subject.catalogue.change(.processCrash, .needsUpload(row.id, due: 5)) }
        for (row, id) in [(settled, "v2"), (waiting, "v3"), (deleted, "v4")] { try subject.begin(id, of: row) }
        try subject.delete("c")
        #expect(try Set(subject.catalogue.unwantedUploads().map(\.id)) == Set(ids(["v2", "v4"])))
        #expect(try subject.catalogue.hasBegunUpload(waiting.id) && !subject.catalogue.isAdopted(waiting.id))
    }

    @Test(
        "Every change of names, attributes and xattrs is in the next segment, once, and decodes again", arguments: all)
    func journal(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.create("a\n\u{1F4F7}.jpg")
        try subject.create("link", .symlink)
        try catalogue.change(.processCrash, .markInMain(file.id, inode: 9))
        try subject.begin("v1", of: file)
        try subject.commit("v1", of: file)
        _ = try catalogue.change(.powerLoss, .setXattr(file.id, "user.note", [0, 255], mode: .any, now: 300))
        _ = try catalogue.change(.powerLoss, .removeXattr(file.id, "user.none", now: 300))
        try subject.rename("link", to: "other")
        let taken = try subject.create("taken back")
        try catalogue.change(.processCrash, .undoCreate(taken.id, now: 1))
        let records = try catalogue.waitingRecords()
        let header = SegmentHeader(
            catalogue: "c", first: 1, id: SegmentID(number: 1, epoch: subject.epoch, attempt: 1), previous: nil,
            lastChange: 1, pending: nil, time: 0)
        #expect(try readSegment(.memory(writeSegment(header, records))).records == records)
        let name = bytes("a\n\u{1F4F7}.jpg")
        #expect(records.contains(.name(parent: 1, name: name, resource: file.id.rawValue)))
        #expect(records.contains(.removedName(parent: 1, name: bytes("link"))))
        #expect(records.contains(.erasedResource(id: taken.id.rawValue)))
        #expect(records.contains(.xattr(resource: file.id.rawValue, name: bytes("user.note"), value: [0, 255])))
        #expect(Set(records.map(\.entity)).count == records.count)
        let states = records.compactMap { record in
            if case .resource(let state) = record, state.id == file.id.rawValue { state } else { nil }
        }
        #expect(states.map(\.content?.key) == ["photo~v1.jpg"] && states.map(\.content?.id) == ["v1"])
        #expect(states.first?.content?.point?.epoch == subject.epoch.number)
    }

    @Test("A segment that is stored ends what waits, and leaves what came meanwhile", arguments: all)
    func segments(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        try subject.create("a")
        try catalogue.change(.powerLoss, .set([Setting.journalBase: "needed"]))
        let last = try catalogue.lastJournalEntry()
        #expect(try catalogue.newestJournalEntry() == last && !catalogue.waitingRecords().isEmpty)
        try subject.create("b")
        let link = SegmentHeader.Link(
            id: SegmentID(number: 1, epoch: subject.epoch, attempt: 1), sha256: Array(repeating: 7, count: 32))
        try catalogue.change(.powerLoss, .endSegment(link, through: last))
        #expect(try catalogue.journalEntries(through: last) == 0)
        #expect(try catalogue.setting(Setting.journal) == "\(link.id)")
        #expect(try catalogue.setting(Setting.journalBase) == nil)
        let rest = try catalogue.waitingRecords()
        #expect(rest.contains { if case .name(_, bytes("b"), _) = $0 { true } else { false } })
        #expect(!rest.contains { if case .name(_, bytes("a"), _) = $0 { true } else { false } })
        let newest = try catalogue.newestJournalEntry()
        try catalogue.change(.powerLoss, .endSegment(link, through: newest))
        #expect(try catalogue.waitingRecords().isEmpty && catalogue.lastJournalEntry() == 0)
        try subject.reopen()
        #expect(try subject.catalogue.newestJournalEntry() == newest)
        #expect(try await subject.catalogue.ask(.counts).pendingJournal == 0)
    }

    @Test(
        "Everything is told at once: what is, what was deleted with its content, and nothing that left none",
        arguments: all)
    func everything(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "v1")
        let (deleted, gone) = (try subject.stored("b", version: "v2"), try subject.create("c"))
        _ = try catalogue.change(.powerLoss, .setXattr(file.id, "user.note", [1], mode: .any, now: 300))
        try subject.delete("b", now: 200)
        try subject.delete("c", now: 200)
        let records = try await catalogue.askAtLength(
            CatalogueQuestion { reader throws(CatalogueError) in
                var records: [JournalRecord] = []
                try reader.everything { records.append($0) }
                return records
            })
        let entities = Set(records.map(\.entity))
        #expect(
            entities == [
                .resource(1), .resource(file.id.rawValue), .resource(deleted.id.rawValue),
                .name(parent: 1, name: bytes("a")), .xattr(resource: file.id.rawValue, name: bytes("user.note")),
            ])
        #expect(!entities.contains(.resource(gone.id.rawValue)) && records.allSatisfy { !$0.isRemoval })
        let last = records.compactMap { record in
            if case .resource(let state) = record { state.deletion?.dentry } else { nil }
        }
        #expect(last == [Dentry(.root, bytes("b"))])
    }

    @Test("The earliest upload whose end is not known is known, by the moment at which it began", arguments: all)
    func earliestUpload(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        func earliest() throws -> ChangePoint? {
            try catalogue.answer { reader throws(CatalogueError) in try reader.earliestUpload() }
        }
        #expect(try earliest() == nil)
        let (one, other) = (try subject.create("a"), try subject.create("b"))
        try subject.begin("v1", of: one)
        let change = try catalogue.newestJournalEntry()
        try subject.create("c")
        try subject.begin("v2", of: other)
        let later = try catalogue.newestJournalEntry()
        let first = try earliest()
        #expect(change < later && first == ChangePoint(epoch: subject.epoch.number, change: change))
        try subject.commit("v1", of: one)
        #expect(try earliest() == ChangePoint(epoch: subject.epoch.number, change: later))
        #expect(try catalogue.version(VersionID("v1"))?.point?.change == change)
    }

    @Test(
        "Leftovers: what failed to reach backup, what is deleted and still stored, and nothing that is under way",
        arguments: all)
    func leftovers(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let (file, writing) = (try subject.create("a"), try subject.create("writing"))
        try subject.create("d", .directory)
        for row in [file, writing] { try catalogue.change(.processCrash, .markInMain(row.id, inode: 7)) }
        let other = try subject.stored("b", version: "vb")
        try catalogue.change(.processCrash, .noteUploadFailure(file.id, error: "no answer", now: 500) { _ in 400 })
        try subject.delete("b", now: 600)
        let leftovers = try await subject.leftovers()
        #expect(leftovers.map(\.reason) == [.notInBackup, .deletedButStored])
        #expect(leftovers.map(\.resource.id) == [file.id, other.id] && leftovers.map(\.since) == [500, 600])
        #expect(leftovers.map(\.lastError) == ["no answer", nil])
        #expect(leftovers.map(\.path) == [[bytes("a")], [bytes("b")]])
        let counts = try await catalogue.ask(.counts)
        #expect(counts.creating == 3 && counts.created == 0 && counts.deleted == 1)
        #expect(counts.leftovers == 2 && counts.pendingUploads == 2 && counts.pendingRemovals == 1)
    }

    @Test("A wait is for what waits when it begins, and not for what comes later", arguments: all)
    func waiting(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let rows = try (1...3).map { number in
            let row = try subject.create("f\(number)")
            try catalogue.change(.processCrash, .markInMain(row.id, inode: 7))
            return row
        }
        for row in rows.prefix(2) { try catalogue.change(.processCrash, .makeUploadDue(row.id, now: 5)) }
        let waited = try await catalogue.ask(.waitedFor)
        #expect(waited.upload == rows[1].id)
        #expect(try waited.journal == catalogue.lastJournalEntry())
        try catalogue.change(.processCrash, .makeUploadDue(rows[2].id, now: 5))
        try subject.create("later")
        let first = try await catalogue.ask(.waiting(for: waited))
        #expect(try first.uploads == 2 && first.journal == catalogue.journalEntries(through: waited.journal))
        let page = try await catalogue.ask(
            .acknowledgedUploads(after: rows[0].id, through: rows[2].id, limit: 1))
        #expect(page == [rows[1].id])
        for (row, id) in zip(rows, ["v1", "v2"]) {
            try subject.begin(id, of: row)
            try subject.commit(id, of: row)
        }
        #expect(try await catalogue.ask(.waiting(for: waited)).uploads == 0)
    }

    @Test(
        "Stored objects come by key, bytewise and in pages: those that live files name, and no others", arguments: all)
    func storedObjects(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "b2")
        _ = try subject.stored("b", version: "B1")
        _ = try subject.stored("c", version: "a3")
        _ = try subject.stored("gone", version: "a4")
        try subject.delete("gone")
        try subject.begin("b5", of: file)
        func keys(_ first: String, _ last: String, _ limit: Int) async throws -> [String] {
            try await catalogue.ask(.storedObjects(after: first, through: last, limit: limit)).map(\.version.key)
        }
        let end = StoredObject.afterEveryKey
        #expect(try await keys("", end, 9) == ["photo~B1.jpg", "photo~a3.jpg", "photo~b2.jpg"])
        #expect(try await keys("photo~B1.jpg", end, 1) == ["photo~a3.jpg"])
        #expect(try await keys("", "photo~a3.jpg", 9) == ["photo~B1.jpg", "photo~a3.jpg"])
        let known = try await catalogue.ask(.knownKeys(["photo~b5.jpg", "photo~a4.jpg", "photo~x.jpg"]))
        #expect(known == ["photo~b5.jpg", "photo~a4.jpg"])
    }

    @Test(
        "A path leads to what lives there, else to what was deleted there last, and never through what is gone",
        arguments: all)
    func paths(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let directory = try subject.create("d", .directory)
        try subject.create("a", in: directory.id)
        try subject.delete("a", in: directory.id, now: 200)
        let second = try subject.create("a", in: directory.id)
        try subject.delete("a", in: directory.id, now: 300)
        let path = [bytes("d"), bytes("a")]
        #expect(try await catalogue.ask(.resource(atPath: path))?.id == second.id)
        #expect(try catalogue.resource(atPath: [])?.id == .root)
        #expect(try catalogue.resource(atPath: [bytes("none"), bytes("a")]) == nil)
        let last = try catalogue.answer { reader throws(CatalogueError) in try reader.lastPath(of: second.id) }
        #expect(last == path)
        try subject.delete("d", directory: true, now: 400)
        #expect(try catalogue.resource(atPath: path) == nil)
        #expect(try catalogue.resource(atPath: [bytes("d")])?.id == directory.id)
    }
}
