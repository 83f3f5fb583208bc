import Foundation
import Glibc

@testable import Catalogue

/// A catalogue in a directory of its own, removed at the end.
final class TemporaryCatalogue {
    let directory: URL
    let descriptor: Int32
    private(set) var catalogue: SQLiteCatalogue

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "catalogue-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        descriptor = open(directory.path, O_RDONLY | O_DIRECTORY)
        catalogue = try SQLiteCatalogue(directory: descriptor)
        try catalogue.change(.powerLoss) { writer throws(CatalogueError) in
            try writer.createRoot(NewAttributes(mode: 0o755, uid: 0, gid: 0), now: 1)
        }
    }

    func reopen() throws {
        try catalogue.close()
        catalogue = try SQLiteCatalogue(directory: descriptor)
    }

    @discardableResult
    func create(
        _ name: String, in parent: ResourceID = .root, kind: Resource.Kind = .file, target: String? = nil
    ) throws -> Resource {
        try catalogue.change(.processCrash) { writer throws(CatalogueError) in
            try writer.create(
                kind, Dentry(parent, Array(name.utf8)),
                NewAttributes(mode: 0o644, uid: 1, gid: 2, target: target.map { Array($0.utf8) }), now: 100)
        }
    }

    func lookup(_ name: String, in parent: ResourceID = .root) throws -> Resource? {
        try catalogue.read { reader throws(CatalogueError) in
            try reader.lookup(Dentry(parent, Array(name.utf8)))
        }
    }

    deinit {
        try? catalogue.close()
        close(descriptor)
        try? FileManager.default.removeItem(at: directory)
    }
}

extension SQLiteCatalogue {
    /// A question that has no name.
    func ask<Answer: Sendable>(
        _ body: @escaping @Sendable (any CatalogueQuestions) throws(CatalogueError) -> Answer
    ) async throws(CatalogueError) -> Answer {
        try await ask(CatalogueQuestion(body))
    }

    /// A change that has no name.
    func changeLater<Outcome: Sendable>(
        _ durability: Durability,
        _ body: @escaping @Sendable (any CatalogueTransaction) throws(CatalogueError) -> Outcome
    ) async throws(CatalogueError) -> Outcome {
        try await changeLater(durability, CatalogueChange(body))
    }

    /// A change that has no name, and that nobody waits for.
    func record(
        patiently: Bool = false, _ body: @escaping @Sendable (any CatalogueTransaction) throws(CatalogueError) -> Void,
        finished: @escaping @Sendable (CatalogueError?) -> Void
    ) {
        record(CatalogueChange(body), patiently: patiently) { result in
            if case .failure(let error) = result { finished(error) } else { finished(nil) }
        }
    }
}
