import Catalogue
import Synchronization
import Testing

extension CatalogueContract {
    @Test("A file is created when main and backup are complete; a second version sends the first away", arguments: all)
    func lifeOfVersions(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a.jpg")
        try subject.catalogue.change(.processCrash, .markInMain(file.id, inode: 7))
        #expect(try subject.lookup("a.jpg")?.status == .creating)
        try subject.begin("v1", of: file)
        let first = try subject.commit("v1", of: file)
        #expect(first.replaces == false && !first.isStillChanging)
        let stored = try subject.catalogue.row(file.id)
        #expect(stored.status == .created && stored.inMain && stored.inBackup && !stored.needsUpload)
        #expect(
            stored.size == 3 && stored.modified == 150 && stored.version == VersionID("v1") && stored.mainInode == 9)
        try subject.begin("v2", of: file)
        let second = try subject.commit("v2", of: file, isStillChanging: true)
        #expect(second.replaces == true && second.isStillChanging)
        #expect(try subject.catalogue.row(file.id).needsUpload)
        #expect(try subject.removals() == ["v1"])
        #expect(try subject.catalogue.version(VersionID("v1"))?.state == .removing)
        #expect(try await subject.catalogue.ask(.versionNumber(of: file.id)) == 2)
    }

    @Test(
        "Write.4: a failed upload is taken up again under its key; with another content or key it is abandoned",
        arguments: all)
    func retriedUpload(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a.jpg")
        func begin(_ id: String, _ content: UInt8, isSameKey: Bool = true) throws -> String {
            let begun = try subject.begin(id, of: file, content: content, isSameKey: isSameKey, now: 5)
            return "\(begun.version.id) \(begun.leavesWork)"
        }
        #expect(try begin("v1", 1) == "v1 false")
        #expect(try begin("v2", 1) == "v1 false")
        #expect(try begin("v3", 2) == "v3 true")
        #expect(try begin("v4", 2, isSameKey: false) == "v4 true")
        let states = try subject.catalogue.versions(of: file.id).map { "\($0.id) \($0.state)" }
        #expect(states == ["v1 abandoned", "v3 abandoned", "v4 uploading"])
        #expect(try subject.removals(now: 9) == ["v1", "v3"])
        #expect(try subject.catalogue.unwantedVersions(of: file.id).map(\.id) == ids(["v1", "v3"]))
        #expect(try subject.catalogue.begunUpload(file.id)?.id == VersionID("v4"))
        #expect(throws: CatalogueError.noSuchResource) {
            try subject.delete("a.jpg")
            try subject.begin("v5", of: file)
        }
    }

    @Test("An upload that ends after the delete leaves its object to be removed", arguments: all)
    func uploadOfDeleted(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a.jpg")
        try subject.begin("v1", of: file)
        try subject.delete("a.jpg")
        #expect(try subject.commit("v1", of: file).replaces == true)
        let row = try subject.catalogue.row(file.id)
        #expect(row.status == .deleted && !row.inBackup)
        #expect(try subject.removals() == ["v1"])
    }

    @Test("An upload that was given up while it ran is not stored: its object may be gone by then", arguments: all)
    func uploadGivenUp(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.stored("a.jpg", version: "v1")
        try subject.begin("v2", of: file)
        try subject.catalogue.change(.powerLoss, .abandon(ids(["v2"]), now: 2))
        let late = try subject.commit("v2", of: file)
        #expect(late.replaces == nil)
        #expect(try subject.catalogue.row(file.id) == file)
        #expect(try subject.removals() == ["v2"])
    }

    @Test("Times that were set while a content was sent are kept", arguments: all)
    func timesAreKept(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        try subject.begin("v1", of: file)
        _ = try subject.catalogue.change(
            .powerLoss,
            .setAttributes(file.id, list: "", now: 1) { row, list in
                var row = row
                row.modified = 77
                return (row, list)
            })
        try subject.commit("v1", of: file, seen: file)
        #expect(try subject.catalogue.row(file.id).modified == 77)
    }

    @Test(
        "A file that main is ahead with waits for nobody but its writer",
        arguments: all)
    func markAhead(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.stored("a", version: "v1")
        try subject.catalogue.change(.powerLoss, .markAhead(file.id))
        let row = try subject.catalogue.row(file.id)
        #expect(row.needsUpload && row.inMain)
        let forgotten = try subject.catalogue.answer { reader throws(CatalogueError) in try reader.forgottenUploads() }
        #expect(forgotten == [file.id])
    }

    @Test("A change that main lost: the version in backup is the file, unless another change has come", arguments: all)
    func loseChange(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "v1")
        try catalogue.change(.processCrash, .needsUpload(file.id, due: 5))
        try subject.begin("v2", of: file)
        let before = try catalogue.row(file.id)
        #expect(try !catalogue.change(.processCrash, .loseChange(file.id, error: "lost", now: 7) { false }))
        #expect(try catalogue.row(file.id) == before)
        #expect(try catalogue.change(.processCrash, .loseChange(file.id, error: "lost", now: 7) { true }))
        let row = try catalogue.row(file.id)
        #expect(!row.needsUpload && row.lastError == "lost" && row.version == VersionID("v1"))
        #expect(try subject.removals() == ["v2"] && subject.due().isEmpty)
    }

    @Test("I13: what main failed to write goes; a file that backup has not stays a leftover", arguments: all)
    func dropUnwritten(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let stored = try subject.stored("a", version: "v1")
        let fresh = try subject.create("b")
        try catalogue.change(.processCrash, .markInMain(fresh.id, inode: 8))
        for (row, id) in [(stored, "v2"), (fresh, "v3")] {
            try catalogue.change(.processCrash, .needsUpload(row.id, due: 5))
            try subject.begin(id, of: row)
            try catalogue.change(.powerLoss, .dropUnwritten(try catalogue.row(row.id), now: 7))
        }
        #expect(try !catalogue.row(stored.id).needsUpload && catalogue.row(stored.id).inBackup)
        #expect(try catalogue.row(fresh.id).needsUpload && !catalogue.row(fresh.id).inMain)
        #expect(try subject.removals() == ["v2", "v3"])
        let leftovers = try await subject.leftovers()
        #expect(leftovers.map(\.resource.id) == [fresh.id] && leftovers.map(\.reason) == [.inNoStorage])
    }

    @Test(
        "A failed upload is due again after a delay that the attempts before it decide; without need nothing is noted",
        arguments: all)
    func failures(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.create("a")
        func fail(_ now: Nanoseconds) throws {
            try catalogue.change(
                .processCrash, .noteUploadFailure(file.id, error: "no answer", now: now) { Nanoseconds($0 + 1) * 100 })
        }
        try fail(1000)
        #expect(try catalogue.attempts(file.id) == 0 && catalogue.row(file.id).lastError == nil)
        try catalogue.change(.processCrash, .markInMain(file.id, inode: 7))
        try fail(1000)
        try fail(2000)
        #expect(try catalogue.attempts(file.id) == 2 && catalogue.row(file.id).lastError == "no answer")
        #expect(try catalogue.nextDueResource(after: 0) == 2200 && subject.due(now: 2199).isEmpty)
        #expect(try catalogue.dueResources(now: 2200, limit: 9).map(\.attempts) == [2])
        try subject.begin("v1", of: file)
        try subject.commit("v1", of: file)
        #expect(try catalogue.attempts(file.id) == 0 && catalogue.row(file.id).lastError == nil)
        #expect(try subject.due().isEmpty)
    }

    @Test(
        "Uploads become the background's: one, or all; what has a time keeps it, and what needs none gets none",
        arguments: all)
    func due(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let rows = try (1...3).map { try subject.create("f\($0)") }
        let stored = try subject.stored("stored", version: "v1")
        for row in rows { try catalogue.change(.processCrash, .markInMain(row.id, inode: 7)) }
        try catalogue.change(.processCrash, .needsUpload(rows[0].id, due: 50))
        for row in [rows[0], rows[1], stored] {
            try catalogue.change(.processCrash, .makeUploadDue(row.id, now: 20))
        }
        #expect(try subject.due(now: 20) == [rows[1].id] && subject.due(now: 50) == [rows[1].id, rows[0].id])
        try catalogue.change(.processCrash, .postponeIfDue(rows[1].id, now: 30, until: 90))
        try catalogue.change(.processCrash, .postponeIfDue(rows[0].id, now: 30, until: 90))
        #expect(try subject.due(now: 89) == [rows[0].id])
        try catalogue.change(.processCrash, .postpone([rows[0].id], until: 95))
        #expect(try catalogue.nextDueResource(after: 90) == 95)
        try catalogue.change(.processCrash, .makeUploadsDue(areSuspect: false, now: 10))
        #expect(try Set(subject.due(now: 10)) == Set(rows.map(\.id)))
        try catalogue.change(.processCrash, .settle(rows[2].id))
        #expect(try Set(subject.due()) == Set(rows.prefix(2).map(\.id)))
    }

    @Test(
        "I3: what replaces a version after an unclean end lets it stay for a day, and it is no removal that waits",
        arguments: all)
    func suspect(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let day: Nanoseconds = 86_400 * 1_000_000_000
        let file = try subject.stored("a", version: "v1")
        try subject.catalogue.change(.processCrash, .needsUpload(file.id, due: 5))
        try subject.catalogue.change(.processCrash, .makeUploadsDue(areSuspect: true, now: 10))
        try subject.begin("v2", of: file)
        try subject.commit("v2", of: file, now: 300)
        #expect(try subject.removals(now: 299 + day).isEmpty && subject.removals(now: 300 + day) == ["v1"])
        #expect(try subject.catalogue.unwantedVersions(of: file.id).isEmpty)
        #expect(try await subject.catalogue.ask(.counts).pendingRemovals == 0)
        // Only the first version after that end is suspect.
        try subject.begin("v3", of: file)
        try subject.commit("v3", of: file, now: 301)
        #expect(try subject.removals(now: 301) == ["v2"])
    }

    @Test("Uploads in parts are on record until they end; a key may have several", arguments: all)
    func multipart(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        for (key, id) in [("b", "1"), ("a", "2"), ("a", "1"), ("a", "1")] {
            try catalogue.change(.processCrash, .beginMultipartUpload(key: key, id: id))
        }
        try catalogue.change(.processCrash, .endMultipartUpload(key: "b", id: "2"))
        #expect(try catalogue.multipartUploads().map { "\($0.key) \($0.id)" } == ["a 1", "a 2", "b 1"])
        try catalogue.change(.processCrash, .endMultipartUpload(key: "a", id: "1"))
        #expect(try catalogue.multipartUploads().map { "\($0.key) \($0.id)" } == ["a 2", "b 1"])
    }

    @Test("An upload that has seen main's older time leaves the row the time that a program has set", arguments: all)
    func timeSetMeanwhile(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.stored("a", version: "v1")
        // The row has its new time, main's copy has it a moment later; an upload looks at both in between.
        _ = try catalogue.change(
            .powerLoss,
            .setAttributes(file.id, list: "none", now: 400) { row, _ in
                var row = row
                row.modified = 777
                return (row, nil)
            })
        let seen = try catalogue.row(file.id)
        try subject.begin("v2", of: file)
        try subject.commit("v2", of: file, seen: seen, keepsTime: true)
        #expect(try catalogue.row(file.id).modified == 777)
    }
}
