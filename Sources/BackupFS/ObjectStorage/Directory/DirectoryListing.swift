// Keys in bytewise order, from directories that have none. A directory sorts as its name with a slash, because that is
// how its keys go on: `a-b`, `a/x`, `a0`. So one walk, each directory sorted by itself, yields all keys in order.

import Glibc
import Linux

/// One page of a directory store's keys.
struct DirectoryListing {
    private let prefix: String.UTF8View
    private let after: String.UTF8View?
    private let limit: Int
    /// What was found so far, in bytewise order.
    private(set) var found: [ListedObject] = []

    init(prefix: String, after: String?, limit: Int) {
        self.prefix = prefix.utf8
        self.after = after?.utf8
        self.limit = limit
    }

    /// Collects the page below a tree's root.
    mutating func collect(_ tree: DirectoryTree, _ expiry: Expiry) throws(ObjectStoreError) {
        try collect(tree, directory: tree.root, path: "", expiry)
    }

    private mutating func collect(
        _ tree: DirectoryTree, directory: Descriptor, path: String, _ expiry: Expiry
    ) throws(ObjectStoreError) {
        try expiry.check()
        for entry in try entries(directory, path) where found.count < limit {
            if entry.isDirectory {
                guard mayHold(entry.key.utf8) else { continue }
                let child: Descriptor
                do throws(DirectoryFailure) {
                    child = try DirectoryTree(root: directory).openDirectory(entry.name)
                } catch {
                    // Removed meanwhile.
                    if error.code == ENOENT || error.code == ENOTDIR { continue }
                    throw error.asStoreError(entry.key)
                }
                try collect(tree, directory: child, path: entry.key, expiry)
            } else if isWanted(entry.key.utf8) {
                var status = stat()
                guard fstatat(directory.number, entry.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
                guard status.st_mode & S_IFMT == S_IFREG else { continue }
                found.append(ListedObject(key: entry.key, size: Int64(status.st_size)))
            }
        }
    }

    private struct Entry {
        var name: String
        /// With a slash at the end if it is a directory.
        var key: String
        var isDirectory: Bool
    }

    private func entries(_ directory: Descriptor, _ path: String) throws(ObjectStoreError) -> [Entry] {
        var entries: [Entry] = []
        let names: [String]
        do throws(DirectoryFailure) { names = try Self.names(directory) } catch { throw error.asStoreError("listing") }
        for name in names where !(path.isEmpty && name == DirectoryKey.reserved) {
            var status = stat()
            guard fstatat(directory.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            entries.append(Entry(name: name, key: path + name + (isDirectory ? "/" : ""), isDirectory: isDirectory))
        }
        return entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// The names in a directory that can be part of a key, unsorted.
    static func names(_ directory: Descriptor) throws(DirectoryFailure) -> [String] {
        do throws(SystemError) {
            return try directory.names().filter { $0.allSatisfy { $0 < 0x80 } }.map {
                String(decoding: $0, as: UTF8.self)
            }
        } catch {
            throw DirectoryFailure(error.code)
        }
    }

    private func isWanted(_ key: String.UTF8View) -> Bool {
        guard key.starts(with: prefix) else { return false }
        return after.map { $0.lexicographicallyPrecedes(key) } ?? true
    }

    /// Whether a key below this directory (with its slash) can be wanted.
    private func mayHold(_ directory: String.UTF8View) -> Bool {
        guard directory.starts(with: prefix) || prefix.starts(with: directory) else { return false }
        guard let after else { return true }
        return after.starts(with: directory) || after.lexicographicallyPrecedes(directory)
    }
}
