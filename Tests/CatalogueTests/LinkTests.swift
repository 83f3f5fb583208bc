import Testing

@testable import Catalogue

@Suite("Several names for one resource")
struct LinkTests {
    let temporary: TemporaryCatalogue
    var catalogue: SQLiteCatalogue { temporary.catalogue }

    init() throws { temporary = try TemporaryCatalogue() }

    private func link(_ resource: Resource, _ name: String, in parent: ResourceID = .root) throws -> Int64 {
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.link(resource.id, parent: parent, name: Array(name.utf8), now: 200)
        }
    }

    private func delete(_ name: String) throws -> Resource {
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.delete(parent: .root, name: Array(name.utf8), directory: false, now: 300)
        }
    }

    @Test("A resource lives until its last name goes, whichever that is")
    func lastName() throws {
        let file = try temporary.create("a")
        _ = try link(file, "b")
        #expect(try temporary.lookup("b")?.id == file.id)
        #expect(try temporary.lookup("a")?.linkCount == 2)
        let first = try delete("a")
        #expect(first.status == .creating && first.linkCount == 1 && first.changed == 300)
        let last = try delete("b")
        #expect(last.status == .deleted && last.linkCount == 0)
    }

    @Test("A link is refused for a directory, a name that is taken, and a resource that is deleted")
    func refused() throws {
        let directory = try temporary.create("d", kind: .directory)
        let file = try temporary.create("a")
        #expect(throws: CatalogueError.isDirectory) { try link(directory, "e") }
        #expect(throws: CatalogueError.nameTaken) { try link(file, "d") }
        #expect(throws: CatalogueError.notDirectory) { try link(file, "b", in: file.id) }
        _ = try delete("a")
        #expect(throws: CatalogueError.noSuchResource) { try link(file, "b") }
    }

    @Test("A rename over one of several names takes only that name; undone, it is back")
    func renameOver() throws {
        let file = try temporary.create("a")
        _ = try link(file, "b")
        let other = try temporary.create("c")
        let renamed = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.rename(
                from: .root, Array("c".utf8), to: .root, Array("b".utf8), noReplace: false, now: 400)
        }
        #expect(try temporary.lookup("b")?.id == other.id)
        #expect(try temporary.lookup("a")?.linkCount == 1)
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.undoRename(renamed, from: .root, Array("c".utf8), to: .root, Array("b".utf8), now: 500)
        }
        #expect(try temporary.lookup("b")?.id == file.id)
        #expect(try temporary.lookup("a")?.linkCount == 2)
        #expect(try temporary.lookup("c")?.id == other.id)
    }

    @Test("Two names change places; directories take their link counts along")
    func exchange() throws {
        let one = try temporary.create("one", kind: .directory)
        let two = try temporary.create("two", kind: .directory)
        let inner = try temporary.create("inner", in: one.id, kind: .directory)
        let file = try temporary.create("file", in: two.id)
        let intent = try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.exchange(
                one.id, Array("inner".utf8), two.id, Array("file".utf8), sourceInode: 7, now: 600)
        }
        #expect(try temporary.lookup("inner", in: one.id)?.id == file.id)
        #expect(try temporary.lookup("file", in: two.id)?.id == inner.id)
        #expect(try temporary.lookup("one")?.linkCount == 2)
        #expect(try temporary.lookup("two")?.linkCount == 3)
        let intents = try catalogue.read { reader throws(CatalogueError) in try reader.renameIntents() }
        #expect(intents.map(\.id) == [intent] && intents.first?.isExchange == true && intents.first?.sourceInode == 7)
        #expect(throws: CatalogueError.wouldLoop) {
            try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
                try writer.exchange(
                    .root, Array("two".utf8), two.id, Array("file".utf8), sourceInode: 0, now: 700)
            }
        }
    }
}
