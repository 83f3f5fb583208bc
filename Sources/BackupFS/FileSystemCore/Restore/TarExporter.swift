// An archive of everything in a catalogue, as a stream. A content is fetched and compared with its checksum before its member
// begins, several of them ahead of the one that is written: what cannot be had is left out, and never wrong.

import Catalogue
import Linux

/// Writes an archive.
struct TarExporter {
    /// Bytes that are fetched ahead of the archive; a larger file is fetched when nothing else is.
    private static let ahead: Int64 = 256 << 20
    /// Members that wait to be written.
    private static let mostWaiting = 256

    private let storages: Storages
    private let fetcher: ContentFetcher
    private let progress: @Sendable (RestoreProgress) -> Void
    private let outcome = CopyOutcome()
    private var output: TarOutput
    private var walk: TreeWalk
    private var next: TreeWalk.Step?
    private var waiting: [Waiting] = []
    /// Contents that wait, and bytes in them.
    private var contents = 0
    private var bytes: Int64 = 0
    /// What has several names: what was fetched already, and the name that it got in the archive.
    private var fetched: Set<ResourceID> = []
    private var named: [ResourceID: [[UInt8]]] = [:]

    private typealias Content = Result<Descriptor, FileSystemError>

    /// A member that is to be written.
    private struct Waiting {
        var step: TreeWalk.Step
        /// The content of a file; nil for what has none, and for further names.
        var content: Task<Content, Never>?
    }

    /// Everything whose path matches `pattern` (glob(7); nil: all) goes to `file`.
    init(
        _ storages: Storages, matching pattern: String?, to file: Descriptor,
        _ progress: @escaping @Sendable (RestoreProgress) -> Void
    ) throws(FileSystemError) {
        self.storages = storages
        self.progress = progress
        fetcher = ContentFetcher(storages)
        output = TarOutput(file)
        walk = try TreeWalk(storages.catalogue, matching: pattern)
        next = try walk.next()
    }

    /// Writes it.
    mutating func export() async throws(RestoreError) -> DownloadOutcome {
        var result = Result<Void, RestoreError>.success(())
        do throws(RestoreError) {
            while try await writeNext() {}
            try await output.finish()
        } catch {
            result = .failure(error)
        }
        // Nobody uses the store any more when this ends.
        for member in waiting { member.content?.cancel() }
        for member in waiting { _ = await member.content?.value }
        try result.get()
        return outcome.value
    }

    /// Lets contents come, and writes one member; false if there is none.
    private mutating func writeNext() async throws(RestoreError) -> Bool {
        do throws(FileSystemError) { try fetchAhead() } catch { throw .main(error) }
        guard let member = waiting.first else { return false }
        let content = await member.content?.value
        waiting.removeFirst()
        if content != nil {
            contents -= 1
            bytes -= member.step.row.size
        }
        try await write(member.step, content)
        return true
    }

    private mutating func fetchAhead() throws(FileSystemError) {
        while let step = next, waiting.count < Self.mostWaiting {
            let row = step.row
            let hasNames = row.kind != .directory && row.linkCount > 1
            guard row.kind == .file, !fetched.contains(row.id) else {
                waiting.append(Waiting(step: step, content: nil))
                next = try walk.next()
                continue
            }
            guard contents < ContentFetcher.width, contents == 0 || bytes + row.size <= Self.ahead else { return }
            contents += 1
            bytes += row.size
            if hasNames { fetched.insert(row.id) }
            waiting.append(Waiting(step: step, content: fetch(row)))
            next = try walk.next()
        }
    }

    private func fetch(_ row: Resource) -> Task<Content, Never> {
        let (main, fetcher) = (storages.tree.main, fetcher)
        return Task {
            await Content { () async throws(FileSystemError) in
                let file = try main.createNameless("archive")
                try await fetcher.fetch(row, into: file)
                return file
            }
        }
    }

    private mutating func write(_ step: TreeWalk.Step, _ content: Content?) async throws(RestoreError) {
        let row = step.row
        let first = row.kind == .directory ? nil : named[row.id]
        let member: TarMember?
        let file: Descriptor?
        do throws(FileSystemError) {
            file = try content?.get()
            // Another name of what could not be fetched.
            if row.kind == .file, file == nil, first == nil { throw .inNoStorage }
            member = TarMember(step.path, row, first == nil ? try xattrs(row) : [], link: first)
        } catch {
            return outcome.fail(step.path, "\(error)")
        }
        guard let member else { return outcome.fail(step.path, "an archive cannot hold a socket") }
        try await output.write(member, file)
        if row.kind != .directory, row.linkCount > 1, first == nil { named[row.id] = step.path }
        if file != nil { progress(outcome.fetched(row.size)) }
    }

    private func xattrs(_ row: Resource) throws(FileSystemError) -> [(name: XattrName, value: [UInt8])] {
        var all: [(name: XattrName, value: [UInt8])] = []
        for name in try storages.catalogue.xattrNames(row.id) {
            if let value = try storages.catalogue.xattr(row.id, name) { all.append((name, value)) }
        }
        return all
    }
}
