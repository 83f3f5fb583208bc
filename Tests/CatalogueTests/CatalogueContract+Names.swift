import Catalogue
import Testing

extension CatalogueContract {
    @Test("A name is created once, in a directory that lives, with its lists and its directory's times", arguments: all)
    func create(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a", lists: [("system.list", [1, 2])])
        #expect(file.status == .creating && !file.inMain && !file.inBackup && !file.needsUpload)
        #expect(file.mode == 0o644 && file.uid == 1 && file.gid == 2 && file.linkCount == 1 && file.createdAt == 100)
        #expect(try subject.catalogue.xattr(file.id, "system.list") == [1, 2])
        #expect(try subject.catalogue.row(.root).modified == 100)
        let link = try subject.create("l", .symlink)
        #expect(link.target == bytes("a b") && link.size == 3)
        #expect(throws: CatalogueError.nameTaken) { try subject.create("a", .directory) }
        #expect(throws: CatalogueError.notDirectory) { try subject.create("b", in: file.id) }
        #expect(throws: CatalogueError.noSuchResource) { try subject.create("b", in: ResourceID(99)) }
        try subject.create("d", .directory)
        let gone = try subject.delete("d", directory: true).row
        #expect(throws: CatalogueError.noSuchResource) { try subject.create("b", in: gone.id) }
        #expect(try subject.names() == ["a", "l"])
    }

    @Test("A deleted name is free at once; the row stays, with its date and where it was", arguments: all)
    func delete(_ tested: TestedCatalogue) async throws {
        let subject = try ContractSubject(tested)
        let first = try subject.create("a")
        let deleted = try subject.delete("a", now: 200)
        #expect(deleted.row.status == .deleted && deleted.row.deletedAt == 200 && deleted.row.linkCount == 0)
        #expect(deleted.intent == nil)
        #expect(try subject.lookup("a") == nil && subject.catalogue.path(of: first.id) == nil)
        let place = try #require(try subject.catalogue.deletedLocation(of: first.id))
        #expect(place.parent == .root && place.name == bytes("a"))
        #expect(try await subject.catalogue.ask(.resource(atPath: [bytes("a")]))?.id == first.id)
        #expect(try subject.due(now: 200) == [first.id])
        let second = try subject.create("a")
        #expect(second.id != first.id)
        #expect(try await subject.catalogue.ask(.resource(atPath: [bytes("a")]))?.id == second.id)
        #expect(throws: CatalogueError.noSuchResource) { try subject.delete("b") }
        #expect(throws: CatalogueError.notDirectory) { try subject.delete("a", directory: true) }
        let directory = try subject.create("d", .directory)
        #expect(throws: CatalogueError.isDirectory) { try subject.delete("d") }
        try subject.create("x", in: directory.id)
        #expect(throws: CatalogueError.notEmpty) { try subject.delete("d", directory: true) }
    }

    @Test("What was deleted is known again by its name, its inode and its time, and by nothing less", arguments: all)
    func returned(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        try subject.catalogue.change(.processCrash, .markInMain(file.id, inode: 7))
        try subject.delete("a", now: 200)
        func find(_ name: String, inode: UInt64, changed: Nanoseconds) throws -> ResourceID? {
            try subject.catalogue.deletedResource(
                Dentry(.root, bytes(name)), mainInode: inode, changed: changed)
        }
        #expect(try find("a", inode: 7, changed: 200) == file.id)
        #expect(try find("a", inode: 7, changed: 201) == nil)
        #expect(try find("a", inode: 8, changed: 200) == nil)
        #expect(try find("b", inode: 7, changed: 200) == nil)
    }

    @Test("A creation that is taken back leaves nothing, but the removal of what it may have uploaded", arguments: all)
    func undoCreate(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let directory = try subject.create("d", .directory)
        #expect(try subject.catalogue.row(.root).linkCount == 3)
        let file = try subject.create("a", lists: [("user.x", [1])])
        try subject.begin("v1", of: file)
        for id in [directory.id, file.id, ResourceID(99)] {
            try subject.catalogue.change(.processCrash, .undoCreate(id, now: 300))
        }
        #expect(throws: CatalogueError.noSuchResource) { try subject.catalogue.row(directory.id) }
        #expect(try subject.catalogue.row(.root).linkCount == 2)
        #expect(try subject.catalogue.row(file.id).status == .deleted)
        #expect(try subject.catalogue.xattr(file.id, "user.x") == nil && subject.names().isEmpty)
    }

    @Test(
        "Renaming over a file deletes that file and leaves an intent; undone, both names are as before", arguments: all)
    func renameOver(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let source = try subject.create("new")
        let target = try subject.stored("old", version: "v1")
        let renamed = try subject.rename("new", to: "old", inode: 5)
        #expect(try subject.lookup("old")?.id == source.id && subject.lookup("new") == nil)
        #expect(renamed.replaced?.id == target.id && renamed.moved.id == source.id)
        let intents = try subject.catalogue.renameIntents()
        #expect(intents.map(\.id) == [renamed.intent] && intents.map(\.replaced) == [target.id])
        #expect(intents.map(\.sourceInode) == [5] && intents.map(\.isFollowed) == [false])
        #expect(try subject.catalogue.isBeingReplaced(target.id))
        try subject.catalogue.change(
            .powerLoss,
            .undoRename(renamed, from: Dentry(.root, bytes("new")), to: Dentry(.root, bytes("old")), now: 500))
        #expect(try subject.lookup("old") == target)
        #expect(try subject.lookup("new")?.id == source.id)
        #expect(try subject.catalogue.renameIntents().isEmpty && !subject.catalogue.isBeingReplaced(target.id))
    }

    @Test(
        "A rename that may not replace, onto itself, of or into what is not there, or onto another kind", arguments: all
    )
    func renameRefused(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        try subject.create("b")
        let directory = try subject.create("d", .directory)
        try subject.create("x", in: directory.id)
        try subject.create("e", .directory)
        #expect(throws: CatalogueError.nameTaken) { try subject.rename("a", to: "b", noReplace: true) }
        #expect(throws: CatalogueError.noSuchResource) { try subject.rename("none", to: "b") }
        #expect(throws: CatalogueError.noSuchResource) { try subject.rename("a", to: "b", into: ResourceID(99)) }
        #expect(throws: CatalogueError.notDirectory) { try subject.rename("a", to: "b", into: file.id) }
        #expect(throws: CatalogueError.isDirectory) { try subject.rename("a", to: "e") }
        #expect(throws: CatalogueError.notDirectory) { try subject.rename("e", to: "a") }
        #expect(throws: CatalogueError.notEmpty) { try subject.rename("e", to: "d") }
        #expect(throws: CatalogueError.wouldLoop) { try subject.rename("d", to: "y", into: directory.id) }
        let same = try subject.rename("a", to: "a")
        #expect(same.intent == nil && same.replaced == nil && same.moved == file)
        #expect(try subject.catalogue.renameIntents().isEmpty)
        #expect(try subject.names() == ["a", "b", "d", "e"])
    }

    @Test("Directories: link counts, paths that follow a rename, and no loop however deep", arguments: all)
    func directories(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let outer = try subject.create("outer", .directory)
        let inner = try subject.create("inner", .directory, in: outer.id)
        let file = try subject.create("photo", in: inner.id)
        #expect(try subject.catalogue.row(outer.id).linkCount == 3)
        #expect(throws: CatalogueError.wouldLoop) { try subject.rename("outer", to: "x", into: inner.id) }
        try subject.rename("inner", in: outer.id, to: "moved", noReplace: true)
        #expect(try subject.catalogue.path(of: file.id) == [bytes("moved"), bytes("photo")])
        #expect(try subject.catalogue.row(outer.id).linkCount == 2)
        #expect(try subject.catalogue.row(.root).linkCount == 4)
        #expect(try subject.catalogue.directories().map(\.id) == [.root, outer.id, inner.id])
        // An empty directory gives way to another one.
        #expect(try subject.rename("moved", to: "outer").replaced?.id == outer.id)
        #expect(try subject.catalogue.row(.root).linkCount == 3)
        let found = try subject.catalogue.resourceAndPath(file.id)
        #expect(found.row?.id == file.id && found.path == [bytes("outer"), bytes("photo")])
    }

    @Test("A listing goes on after any of its cookies, which a rename keeps", arguments: all)
    func listing(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        for name in ["c", "a", "b", "d"] { try subject.create(name) }
        let first = try subject.catalogue.list(.root, after: 0, limit: 2)
        #expect(first.map(\.name) == [bytes("c"), bytes("a")])
        try subject.rename("a", to: "z")
        try subject.rename("d", to: "0")
        try subject.delete("b")
        let rest = try subject.catalogue.list(.root, after: try #require(first.last).cookie, limit: 9)
        #expect(rest.map(\.name) == [bytes("0")])
        #expect(try subject.names() == ["c", "z", "0"])
    }

    @Test("Names are bytes: what is no text and what differs in a byte are names of their own", arguments: all)
    func anyBytes(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let names: [[UInt8]] = [
            [0xff], [0xff, 0xfe], bytes("a\n"), bytes("\u{e9}"), bytes("e\u{301}"), bytes("A"), bytes("a"),
        ]
        for name in names {
            _ = try subject.catalogue.change(
                .processCrash,
                .create(.file, Dentry(.root, name), NewAttributes(mode: 0, uid: 0, gid: 0), lists: [], now: 1))
        }
        #expect(try subject.catalogue.list(.root, after: 0, limit: 99).map(\.name) == names)
        for name in names { #expect(try subject.catalogue.lookup(Dentry(.root, name)) != nil) }
    }

    @Test(
        "A resource lives until its last name goes, whichever that is; each name that goes leaves an intent",
        arguments: all)
    func lastName(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        let link = try subject.link(file, "b")
        #expect(try subject.lookup("b")?.id == file.id && subject.lookup("a")?.linkCount == 2)
        #expect(try subject.catalogue.locations(of: file.id).map(\.name) == [bytes("a"), bytes("b")])
        let first = try subject.delete("a")
        #expect(first.row.status == .creating && first.row.linkCount == 1 && first.row.changed == 300)
        let intents = try subject.catalogue.nameIntents()
        #expect(intents.map(\.id) == [link, first.intent] && intents.map(\.dentry.name) == [bytes("b"), bytes("a")])
        let location = try #require(try subject.catalogue.location(of: file.id))
        #expect(location.name == bytes("b"))
        let last = try subject.delete("b")
        #expect(last.row.status == .deleted && last.row.linkCount == 0 && last.intent == nil)
    }

    @Test(
        "A link is refused for a directory, a name that is taken, and what is deleted; undone, nothing is left",
        arguments: all)
    func link(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let directory = try subject.create("d", .directory)
        let file = try subject.create("a")
        #expect(throws: CatalogueError.isDirectory) { try subject.link(directory, "e") }
        #expect(throws: CatalogueError.nameTaken) { try subject.link(file, "d") }
        #expect(throws: CatalogueError.notDirectory) { try subject.link(file, "b", in: file.id) }
        let intent = try subject.link(file, "b", in: directory.id)
        try subject.catalogue.change(
            .powerLoss, .undoLink(file.id, Dentry(directory.id, bytes("b")), intent: intent, now: 250))
        #expect(try subject.catalogue.row(file.id).linkCount == 1 && subject.names(directory.id).isEmpty)
        #expect(try subject.catalogue.nameIntents().isEmpty)
        try subject.delete("a")
        #expect(throws: CatalogueError.noSuchResource) { try subject.link(file, "b") }
    }

    @Test("A rename over one of several names takes only that name; undone, it is back", arguments: all)
    func renameOverLink(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let file = try subject.create("a")
        try subject.link(file, "b")
        let other = try subject.create("c")
        let renamed = try subject.rename("c", to: "b")
        #expect(try subject.lookup("b")?.id == other.id && subject.lookup("a")?.linkCount == 1)
        try subject.catalogue.change(
            .powerLoss, .undoRename(renamed, from: Dentry(.root, bytes("c")), to: Dentry(.root, bytes("b")), now: 500))
        #expect(try subject.lookup("b")?.id == file.id && subject.lookup("a")?.linkCount == 2)
        #expect(try subject.lookup("c")?.id == other.id)
    }

    @Test("Two names change places, directories with their link counts; undone, they are as before", arguments: all)
    func exchange(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let one = try subject.create("one", .directory)
        let two = try subject.create("two", .directory)
        let inner = try subject.create("inner", .directory, in: one.id)
        let file = try subject.create("file", in: two.id)
        let intent = try #require(try subject.exchange("inner", in: one.id, "file", of: two.id, inode: 7))
        #expect(try subject.lookup("inner", in: one.id)?.id == file.id)
        #expect(try subject.lookup("file", in: two.id)?.id == inner.id)
        #expect(try subject.lookup("one")?.linkCount == 2 && subject.lookup("two")?.linkCount == 3)
        let intents = try subject.catalogue.renameIntents()
        #expect(intents.map(\.id) == [intent] && intents.map(\.isExchange) == [true])
        #expect(intents.map(\.sourceInode) == [7] && intents.map(\.resource) == [inner.id])
        #expect(throws: CatalogueError.wouldLoop) { try subject.exchange("two", "file", of: two.id) }
        #expect(throws: CatalogueError.noSuchResource) { try subject.exchange("two", "none") }
        #expect(try subject.exchange("two", "two") == nil)
        try subject.catalogue.change(
            .powerLoss,
            .undoExchange(
                Dentry(one.id, bytes("inner")), Dentry(two.id, bytes("file")), intent: intent, now: 600))
        #expect(try subject.lookup("inner", in: one.id)?.id == inner.id)
        #expect(try subject.lookup("one")?.linkCount == 3 && subject.lookup("two")?.linkCount == 2)
        #expect(try subject.catalogue.renameIntents().isEmpty)
    }

    @Test("Intents are marked, and go, one by one: renames and names do not mix", arguments: all)
    func intents(_ tested: TestedCatalogue) throws {
        let subject = try ContractSubject(tested)
        let catalogue = subject.catalogue
        let file = try subject.create("a")
        let name = try subject.link(file, "b")
        let first = try #require(try subject.rename("a", to: "c").intent)
        let second = try #require(try subject.rename("c", to: "d").intent)
        try catalogue.change(.processCrash, .markFollowed(.rename(second)))
        #expect(try catalogue.renameIntents().map(\.isFollowed) == [false, true])
        #expect(try catalogue.nameIntents().map(\.isFollowed) == [false])
        try catalogue.change(.processCrash, .markFollowed(.name(name)))
        #expect(try catalogue.nameIntents().map(\.isFollowed) == [true])
        try catalogue.change(.powerLoss, .finish([.rename(first), .name(name), .rename(999)]))
        #expect(try catalogue.renameIntents().map(\.id) == [second])
        #expect(try catalogue.nameIntents().isEmpty)
        try subject.reopen()
        #expect(try subject.catalogue.renameIntents().map(\.isFollowed) == [true])
    }
}
