import Catalogue
import Foundation
import Glibc

/// A catalogue in a directory of its own, removed at the end.
final class TemporaryCatalogue {
    let directory: URL
    let descriptor: Int32
    private(set) var catalogue: ResourceCatalogue

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        descriptor = open(directory.path, O_RDONLY | O_DIRECTORY)
        catalogue = try ResourceCatalogue(directory: descriptor)
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.createRoot(NewAttributes(mode: 0o755, uid: 0, gid: 0), now: 1)
        }
    }

    func reopen() throws {
        try catalogue.close()
        catalogue = try ResourceCatalogue(directory: descriptor)
    }

    @discardableResult
    func create(
        _ name: String, in parent: ResourceID = .root, kind: Resource.Kind = .file, target: String? = nil
    ) throws -> Resource {
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.create(
                kind, parent: parent, name: Array(name.utf8),
                NewAttributes(mode: 0o644, uid: 1, gid: 2, target: target.map { Array($0.utf8) }), now: 100)
        }
    }

    func lookup(_ name: String, in parent: ResourceID = .root) throws -> Resource? {
        try catalogue.read { reader throws(CatalogueError) in
            try reader.lookup(parent: parent, name: Array(name.utf8))
        }
    }

    deinit {
        try? catalogue.close()
        close(descriptor)
        try? FileManager.default.removeItem(at: directory)
    }
}
