// A plain tree from a catalogue whose files are in place: directories, links and nodes, and everything's owner, mode, times and
// attributes. Afterwards nobody needs BackupFS to use it.

import Catalogue
import Glibc
import Linux

/// Makes what an export has beside the bytes of files.
struct TreeMaker {
    private let tree: MainTree
    private var main: MainStorage { tree.main }
    private var catalogue: CatalogueClient { tree.catalogue }
    /// What could not be made as it was, a line each.
    private(set) var failures: [String] = []

    init(tree: MainTree) { self.tree = tree }

    mutating func make() throws(FileSystemError) {
        var directories: [ResourceID] = [.root]
        var made: [ResourceID] = []
        while let id = directories.popLast() {
            made.append(id)
            let directory = try tree.directory(id)
            let path = try catalogue.path(of: id) ?? []
            var last: Int64 = 0
            while true {
                let page = try catalogue.list(id, after: last, limit: 500)
                guard let end = page.last else { break }
                last = end.cookie
                for entry in page {
                    if entry.resource.kind == .directory {
                        directories.append(entry.resource.id)
                    } else {
                        try make(entry.resource, try MainEntry(directory, entry.name), path + [entry.name])
                    }
                }
            }
        }
        // A directory's time is set when nothing is made in it any more, and its mode when nothing below it is opened.
        for id in made.reversed() {
            try setAttributes(try catalogue.row(id), try tree.directory(id), try catalogue.path(of: id) ?? [])
        }
    }

    private mutating func make(_ row: Resource, _ entry: MainEntry, _ path: [[UInt8]]) throws(FileSystemError) {
        if row.kind == .file {
            if try main.status(entry) == nil, row.linkCount > 1, let copy = try tree.mainCopy(row) ?? nil {
                // It was there under another of its names.
                try tree.nameEverywhere(copy, row.id, try catalogue.locations(of: row.id))
            }
            guard let copy = try main.openFile(entry, writing: false) else { return }
            return try setAttributes(row, copy, path)
        }
        if try main.status(entry) == nil {
            do throws(FileSystemError) {
                try main.makeNode(entry, row)
            } catch .main(let code, _) where code == EPERM {
                return failures.append("\(displayPath(path)): only root may make such a node")
            }
        }
        try main.setAttributes(
            entry, kind: row.kind, mode: nil, uid: row.uid, gid: row.gid, accessed: row.accessed.timespec,
            modified: row.modified.timespec)
    }

    private mutating func setAttributes(
        _ row: Resource, _ file: Descriptor, _ path: [[UInt8]]
    ) throws(FileSystemError) {
        for name in try catalogue.xattrNames(row.id) {
            guard let value = try catalogue.xattr(row.id, name) else { continue }
            let result = withText(name.bytes) { setExtendedAttribute($0, of: file, value) }
            if result != 0 {
                failures.append(
                    "\(displayPath(path)): the attribute \(String(decoding: name.bytes, as: UTF8.self)) is not taken "
                        + "(\(errnoText(errno)))")
            }
        }
        try main.setAttributes(
            of: file, mode: row.mode, uid: row.uid, gid: row.gid, accessed: row.accessed.timespec,
            modified: row.modified.timespec)
    }
}
