import Testing

@testable import Catalogue

@Suite("Names in the catalogue")
struct NameTests {
    let temporary: TemporaryCatalogue
    var catalogue: SQLiteCatalogue { temporary.catalogue }

    init() throws { temporary = try TemporaryCatalogue() }

    @Test("A name can be created once: the duplicate key check")
    func duplicateRefused() throws {
        try temporary.create("a.jpg")
        #expect(throws: CatalogueError.nameTaken) { try temporary.create("a.jpg") }
    }

    @Test("A deleted name can be created anew at once, as another resource")
    func createAfterDelete() throws {
        let first = try temporary.create("a.jpg")
        let deleted = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.delete(parent: .root, name: Array("a.jpg".utf8), directory: false, now: 200)
        }
        #expect(deleted.status == .deleted && deleted.deletedAt == 200 && deleted.linkCount == 0)
        #expect(try temporary.lookup("a.jpg") == nil)
        let second = try temporary.create("a.jpg")
        #expect(second.id != first.id)
    }

    @Test("Names survive closing and opening the catalogue; numbers are never given twice")
    func reopened() throws {
        let first = try temporary.create("a.jpg")
        try temporary.reopen()
        #expect(try temporary.lookup("a.jpg")?.id == first.id)
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.undoCreate(first.id, now: 300)
        }
        #expect(try temporary.create("b.jpg").id > first.id)
    }

    @Test("A failing change undoes only itself, not its neighbours in the group")
    func groupsAreIndependent() async throws {
        try temporary.create("taken")
        let outcomes = await withTaskGroup(of: Bool.self, returning: [Bool].self) { group in
            for index in 0..<50 {
                let catalogue = catalogue
                group.addTask {
                    let name = index.isMultiple(of: 5) ? "taken" : "file \(index)"
                    let result = try? await catalogue.changeLater(.powerLoss) { writer throws(CatalogueError) in
                        try writer.create(
                            .file, parent: .root, name: Array(name.utf8), NewAttributes(mode: 0o600, uid: 0, gid: 0),
                            now: 1)
                    }
                    return result != nil
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 }.count == 40)
        #expect(
            try catalogue.read { reader throws(CatalogueError) in try reader.list(.root, after: 0, limit: 100) }.count
                == 41)
    }

    @Test("Renaming over a file deletes that file and leaves an intent; undoing it restores both names")
    func renameOver() throws {
        let source = try temporary.create("new")
        let target = try temporary.create("old")
        let renamed = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.rename(
                from: .root, Array("new".utf8), to: .root, Array("old".utf8), noReplace: false, now: 300)
        }
        #expect(try temporary.lookup("old")?.id == source.id)
        #expect(try temporary.lookup("new") == nil)
        #expect(renamed.replaced?.id == target.id)
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.renameIntents() }.count == 1)
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.undoRename(
                renamed, from: .root, Array("new".utf8), to: .root, Array("old".utf8), now: 400)
        }
        #expect(try temporary.lookup("old") == target)
        #expect(try temporary.lookup("new")?.id == source.id)
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.renameIntents() }.isEmpty)
    }

    @Test("Directories: link counts, no loops, only empty ones can be removed, paths follow a rename")
    func directories() throws {
        let outer = try temporary.create("outer", kind: .directory)
        let inner = try temporary.create("inner", in: outer.id, kind: .directory)
        let file = try temporary.create("photo", in: inner.id)
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.resource(outer.id) }?.linkCount == 3)
        #expect(throws: CatalogueError.wouldLoop) {
            try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.rename(
                    from: .root, Array("outer".utf8), to: inner.id, Array("x".utf8), noReplace: false, now: 1)
            }
        }
        #expect(throws: CatalogueError.notEmpty) {
            try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.delete(parent: .root, name: Array("outer".utf8), directory: true, now: 1)
            }
        }
        _ = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.rename(
                from: outer.id, Array("inner".utf8), to: .root, Array("moved".utf8), noReplace: true, now: 1)
        }
        let path = try catalogue.read { reader throws(CatalogueError) in try reader.path(of: file.id) }
        #expect(path == [Array("moved".utf8), Array("photo".utf8)])
        #expect(try catalogue.read { reader throws(CatalogueError) in try reader.resource(outer.id) }?.linkCount == 2)
    }
}
