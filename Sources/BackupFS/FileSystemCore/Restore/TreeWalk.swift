// Everything in a catalogue that nobody changes, in the order in which a copy is made.

import Catalogue
import Glibc

/// Goes through a catalogue: a directory comes before what is in it, its files come before its directories, and all of it
/// comes before its neighbours.
struct TreeWalk {
    /// One name.
    struct Step: Sendable {
        /// The names from the root down; empty for the root.
        var path: [[UInt8]]
        var row: Resource
    }

    private static let pageSize = 500

    private let catalogue: CatalogueClient
    private let pattern: String?
    /// Directories that nobody has looked into yet, the next one last.
    private var waiting: [Step]
    /// The directory that is being read, where its next page begins, and the directories in it.
    private var current: Step?
    private var cookie: Int64 = 0
    private var found: [Step] = []
    private var page: [DirectoryEntry] = []
    private var index = 0
    /// The directories down to the current one that were not told yet.
    private var untold: [Step] = []
    /// What is told next, the first one last.
    private var ready: [Step] = []

    /// With a `pattern` (glob(7), on the path) only what matches it, and the directories above that.
    init(_ catalogue: CatalogueClient, matching pattern: String?) throws(FileSystemError) {
        self.catalogue = catalogue
        self.pattern = pattern
        waiting = [Step(path: [], row: try catalogue.row(.root))]
    }

    /// The next name; nil after the last.
    mutating func next() throws(FileSystemError) -> Step? {
        while ready.isEmpty {
            if index < page.count {
                take(page[index])
                index += 1
            } else if try !turnPage() {
                guard let directory = waiting.popLast() else { return nil }
                enter(directory)
            }
        }
        return ready.popLast()
    }

    private mutating func take(_ entry: DirectoryEntry) {
        let step = Step(path: (current?.path ?? []) + [entry.name], row: entry.resource)
        if entry.resource.kind == .directory {
            found.append(step)
        } else if isWanted(step) {
            ready = [step] + untold.reversed()
            untold = []
        }
    }

    /// Reads on in the current directory; false at its end.
    private mutating func turnPage() throws(FileSystemError) -> Bool {
        guard let directory = current else { return false }
        page = try catalogue.list(directory.row.id, after: cookie, limit: Self.pageSize)
        index = 0
        if let last = page.last {
            cookie = last.cookie
            return true
        }
        waiting += found.reversed()
        found = []
        current = nil
        return false
    }

    private mutating func enter(_ directory: Step) {
        current = directory
        cookie = 0
        untold.removeAll { $0.path.count >= directory.path.count }
        untold.append(directory)
        if isWanted(directory) {
            ready = untold.reversed()
            untold = []
        }
    }

    private func isWanted(_ step: Step) -> Bool {
        guard let pattern else { return true }
        return withText(Array(step.path.joined(separator: [UInt8(ascii: "/")]))) { fnmatch(pattern, $0, 0) == 0 }
    }
}
