import Catalogue
import Foundation
import Glibc

/// The databases that the contract is asked of; another one is another line, here and in `open`.
enum TestedCatalogue: String, CaseIterable {
    case sqlite

    func open(_ directory: Int32) throws -> any ResourceCatalogue {
        switch self {
        case .sqlite: try SQLiteCatalogue(directory: directory)
        }
    }
}

/// A catalogue in a directory of its own, removed at the end: seen through its protocol only.
final class ContractSubject {
    let directory: URL
    /// In which its uploads begin.
    let epoch = Epoch(4, VersionID("0a3kq1v7x2mf"))
    private let descriptor: Int32
    private let tested: TestedCatalogue
    private(set) var catalogue: any ResourceCatalogue

    init(_ tested: TestedCatalogue) throws {
        self.tested = tested
        directory = FileManager.default.temporaryDirectory.appending(path: "contract-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        catalogue = try tested.open(descriptor)
        try catalogue.change(
            .powerLoss, .establish(NewAttributes(mode: 0o755, uid: 0, gid: 0), name: "the catalogue", now: 1))
    }

    deinit {
        try? catalogue.close()
        close(descriptor)
        try? FileManager.default.removeItem(at: directory)
    }

    /// Closes it and opens it again, as the next daemon does.
    func reopen() throws {
        try catalogue.close()
        catalogue = try tested.open(descriptor)
    }

    // MARK: Names

    @discardableResult
    func create(
        _ name: String, _ kind: Resource.Kind = .file, in parent: ResourceID = .root, now: Nanoseconds = 100,
        lists: [(name: XattrName, value: [UInt8])] = []
    ) throws -> Resource {
        let target = kind == .symlink ? Array("a b".utf8) : nil
        return try catalogue.change(
            .processCrash,
            .create(
                kind, Dentry(parent, bytes(name)), NewAttributes(mode: 0o644, uid: 1, gid: 2, target: target),
                lists: lists, now: now))
    }

    @discardableResult
    func delete(
        _ name: String, in parent: ResourceID = .root, directory: Bool = false, now: Nanoseconds = 300
    ) throws -> Deleted {
        try catalogue.change(
            .powerLoss, .delete(Dentry(parent, bytes(name)), directory: directory, now: now))
    }

    @discardableResult
    func link(
        _ row: Resource, _ name: String, in parent: ResourceID = .root, now: Nanoseconds = 200
    ) throws -> Int64 {
        try catalogue.change(.powerLoss, .link(row.id, Dentry(parent, bytes(name)), now: now))
    }

    @discardableResult
    func rename(
        _ from: String, in source: ResourceID = .root, to name: String, into target: ResourceID = .root,
        noReplace: Bool = false, inode: UInt64 = 0, now: Nanoseconds = 400
    ) throws -> Renamed {
        try catalogue.change(
            .powerLoss,
            .rename(
                from: Dentry(source, bytes(from)), to: Dentry(target, bytes(name)), noReplace: noReplace,
                sourceInode: inode, now: now))
    }

    func exchange(
        _ first: String, in firstParent: ResourceID = .root, _ second: String, of secondParent: ResourceID = .root,
        inode: UInt64 = 0, now: Nanoseconds = 500
    ) throws -> Int64? {
        try catalogue.change(
            .powerLoss,
            .exchange(
                Dentry(firstParent, bytes(first)), Dentry(secondParent, bytes(second)), sourceInode: inode, now: now))
    }

    func lookup(_ name: String, in parent: ResourceID = .root) throws -> Resource? {
        try catalogue.lookup(Dentry(parent, bytes(name)))
    }

    /// The names in a directory, in the order in which it lists them.
    func names(_ directory: ResourceID = .root) throws -> [String] {
        try catalogue.list(directory, after: 0, limit: 1000).map { String(decoding: $0.name, as: UTF8.self) }
    }

    // MARK: Content

    /// Begins an upload; the version that is to be sent.
    @discardableResult
    func begin(
        _ id: String, of row: Resource, content: UInt8 = 7, isSameKey: Bool = false, now: Nanoseconds = 200
    ) throws -> BegunUpload {
        let version = Version(
            id: VersionID(id), resource: row.id, key: "photo~\(id).jpg", size: 3,
            sha256: Array(repeating: content, count: 32), state: .uploading)
        return try catalogue.change(
            .processCrash, .beginUpload(version, epoch: epoch.number, now: now) { _ in isSameKey })
    }

    @discardableResult
    func commit(
        _ id: String, of row: Resource, seen: Resource? = nil, isStillChanging: Bool = false, keepsTime: Bool = false,
        now: Nanoseconds = 201
    ) throws -> CommittedUpload {
        let version = Version(
            id: VersionID(id), resource: row.id, key: "photo~\(id).jpg", size: 3,
            sha256: Array(repeating: 7, count: 32), state: .uploading)
        return try catalogue.change(
            .powerLoss,
            .commitUpload(
                version, main: MainCopy(inode: 9, size: 3, modified: 150), seen: try seen ?? catalogue.row(row.id),
                now: now
            ) { (isStillChanging, keepsTime) })
    }

    /// A file that is in both storages.
    func stored(_ name: String, version id: String) throws -> Resource {
        let row = try create(name)
        try catalogue.change(.processCrash, .markInMain(row.id, inode: 9))
        try begin(id, of: row)
        try commit(id, of: row)
        return try catalogue.row(row.id)
    }

    /// The journal has told all that it has to tell: removals need not wait for it (I15).
    func tellAll() throws {
        let link = SegmentHeader.Link(
            id: SegmentID(number: 1, epoch: epoch, attempt: 1), sha256: Array(repeating: 7, count: 32))
        try catalogue.change(.powerLoss, .endSegment(link, through: try catalogue.lastJournalEntry()))
        while try catalogue.change(.processCrash, .releaseRemovals(limit: 100)) {}
    }

    /// What waits for its removal at `now`, by the versions' ids, once the journal has told all.
    func removals(now: Nanoseconds = 1_000_000) throws -> [String] {
        try tellAll()
        return try catalogue.dueRemovals(now: now, limit: 99).map(\.version.id.description)
    }

    /// What is due at `now`.
    func due(now: Nanoseconds = 1_000_000) throws -> [ResourceID] {
        try catalogue.dueResources(now: now, limit: 99).map(\.resource.id)
    }

    /// All leftovers: files, then versions.
    func leftovers() async throws -> [Leftover] {
        var (all, position): ([Leftover], LeftoverPosition?) = ([], .start)
        while let next = position {
            let found = try await catalogue.ask(.leftovers(from: next, limit: 2))
            all += found.page
            position = found.next
        }
        return all
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func ids(_ texts: [String]) -> [VersionID] { texts.map { VersionID($0) } }
