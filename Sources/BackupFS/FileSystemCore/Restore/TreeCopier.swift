// A plain tree from a catalogue: directories, files, links and nodes, and everything's owner, mode, times and attributes.
// Afterwards nobody needs BackupFS to use it. Each file gets its name when it is complete; one file system sync at the end
// makes all of them durable.

import Catalogue
import Glibc
import Linux
import Synchronization

/// Makes what an export has.
struct TreeCopier: Sendable {
    private let tree: MainTree
    private let fetcher: ContentFetcher
    private let progress: @Sendable (RestoreProgress) -> Void
    private var main: MainStorage { tree.main }
    private var catalogue: CatalogueClient { tree.catalogue }

    init(_ storages: Storages, _ progress: @escaping @Sendable (RestoreProgress) -> Void) {
        tree = storages.tree
        fetcher = ContentFetcher(storages)
        self.progress = progress
    }

    /// What is done when every file is there.
    private struct Remaining {
        var directories: [TreeWalk.Step] = []
        /// Further names of what has one already.
        var links: [(path: [[UInt8]], step: TreeWalk.Step)] = []
    }

    /// Makes everything whose path matches `pattern` (glob(7); nil: all).
    func copy(matching pattern: String?) async throws(FileSystemError) -> DownloadOutcome {
        let outcome = CopyOutcome()
        let walked = await withTaskGroup(of: Void.self) { group in
            await Result { () async throws(FileSystemError) in
                try await walk(try TreeWalk(catalogue, matching: pattern), outcome, &group)
            }
        }
        let remaining = try walked.get()
        for (path, step) in remaining.links {
            outcome.catching(step.path) { () throws(FileSystemError) in try link(path, step) }
        }
        // A directory's time is set when nothing is made in it any more, and its mode when nothing below it is opened.
        for step in remaining.directories.reversed() {
            let directory = try main.openDirectory(step.path)
            try setAttributes(step, directory, outcome)
        }
        try tree.sync()
        return outcome.value
    }

    /// Makes directories and nodes, and lets the files come meanwhile.
    private func walk(
        _ steps: TreeWalk, _ outcome: CopyOutcome, _ group: inout TaskGroup<Void>
    ) async throws(FileSystemError) -> Remaining {
        var walk = steps
        var remaining = Remaining()
        var first: [ResourceID: [[UInt8]]] = [:]
        var running = 0
        // The files of a directory come one after another.
        var directory = main.root
        while let step = try walk.next() {
            if step.row.kind == .directory {
                directory = try makeDirectory(step)
                remaining.directories.append(step)
                continue
            }
            if step.row.linkCount > 1 {
                if let path = first[step.row.id] {
                    remaining.links.append((path, step))
                    continue
                }
                first[step.row.id] = step.path
            }
            let entry = try MainEntry(directory, step.path.last ?? [])
            guard step.row.kind == .file else {
                try makeNode(step, entry, outcome)
                continue
            }
            if running >= ContentFetcher.width { await group.next() } else { running += 1 }
            group.addTask {
                await outcome.catching(step.path) { () async throws(FileSystemError) in
                    try await makeFile(step, entry, outcome)
                }
            }
        }
        await group.waitForAll()
        return remaining
    }

    private func makeDirectory(_ step: TreeWalk.Step) throws(FileSystemError) -> Descriptor {
        guard let name = step.path.last else { return main.root }
        let parent = try main.openDirectory(step.path.dropLast())
        do throws(FileSystemError) {
            try main.makeDirectory(try MainEntry(parent, name), mode: 0o700, uid: geteuid(), gid: getegid())
        } catch .main(errno: EEXIST, _) {
            // An earlier run has made it.
        }
        return try main.openDirectory([name], in: parent)
    }

    private func makeFile(
        _ step: TreeWalk.Step, _ entry: MainEntry, _ outcome: CopyOutcome
    ) async throws(FileSystemError) {
        if step.row.inMain, let copy = try present(step, entry) {
            return try setAttributes(step, copy, outcome)
        }
        let staged = try main.stage("copy", for: entry.directory)
        do throws(FileSystemError) {
            try await fetcher.fetch(step.row, into: staged.descriptor)
            try setAttributes(step, staged.descriptor, outcome)
            try main.place(staged, entry)
        } catch {
            main.removeStaged(staged)
            throw error
        }
        progress(outcome.fetched(step.row.size))
    }

    /// What was there before and is the same; it may be there under another of its names only.
    private func present(_ step: TreeWalk.Step, _ entry: MainEntry) throws(FileSystemError) -> Descriptor? {
        if try main.status(entry) == nil, step.row.linkCount > 1, let copy = try tree.mainCopy(step.row) ?? nil {
            try tree.nameEverywhere(copy, step.row.id, try catalogue.locations(of: step.row.id))
        }
        return try main.openFile(entry, writing: false)
    }

    private func makeNode(
        _ step: TreeWalk.Step, _ entry: MainEntry, _ outcome: CopyOutcome
    ) throws(FileSystemError) {
        let row = step.row
        if try main.status(entry) == nil {
            do throws(FileSystemError) {
                try main.makeNode(entry, row)
            } catch .main(let code, _) where code == EPERM {
                return outcome.fail(step.path, "only root may make such a node")
            }
        }
        try main.setAttributes(
            entry, kind: row.kind, mode: nil, uid: row.uid, gid: row.gid, accessed: row.accessed.timespec,
            modified: row.modified.timespec)
    }

    /// Gives what lies at `path` another name, if that is free.
    private func link(_ path: [[UInt8]], _ step: TreeWalk.Step) throws(FileSystemError) {
        let entry = try MainEntry(try main.openDirectory(step.path.dropLast()), step.path.last ?? [])
        guard try main.status(entry) == nil else { return }
        let first = try MainEntry(try main.openDirectory(path.dropLast()), path.last ?? [])
        guard let file = try main.openAny(first) else { throw .inNoStorage }
        try main.link(file, entry)
    }

    private func setAttributes(
        _ step: TreeWalk.Step, _ file: Descriptor, _ outcome: CopyOutcome
    ) throws(FileSystemError) {
        let row = step.row
        for name in try catalogue.xattrNames(row.id) {
            guard let value = try catalogue.xattr(row.id, name) else { continue }
            let result = withText(name.bytes) { setExtendedAttribute($0, of: file, value) }
            guard result != 0 else { continue }
            let reason = errnoText(errno)
            outcome.fail(
                step.path, "the attribute \(String(decoding: name.bytes, as: UTF8.self)) is not taken (\(reason))")
        }
        try main.setAttributes(
            of: file, mode: row.mode, uid: row.uid, gid: row.gid, accessed: row.accessed.timespec,
            modified: row.modified.timespec)
    }
}

/// What a copy has come to, told by all who work on it.
final class CopyOutcome: Sendable {
    private let state = Mutex(DownloadOutcome())

    var value: DownloadOutcome { state.withLock { $0 } }

    func fail(_ path: [[UInt8]], _ reason: String) {
        state.withLock { $0.failures.append("\(displayPath(path)): \(reason)") }
    }

    /// Counts one more file, and returns how far it has come.
    func fetched(_ bytes: Int64) -> RestoreProgress {
        state.withLock { state in
            state.files += 1
            state.bytes += bytes
            return .fetching(files: state.files, bytes: state.bytes)
        }
    }

    /// Notes what keeps one thing from being made.
    func catching(_ path: [[UInt8]], _ body: () throws(FileSystemError) -> Void) {
        do throws(FileSystemError) { try body() } catch { fail(path, "\(error)") }
    }

    /// Notes what keeps one thing from being made.
    func catching(_ path: [[UInt8]], _ body: () async throws(FileSystemError) -> Void) async {
        do throws(FileSystemError) { try await body() } catch { fail(path, "\(error)") }
    }
}
