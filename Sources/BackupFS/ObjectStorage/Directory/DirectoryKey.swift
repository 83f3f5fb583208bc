/// A key that names a file below a directory store's root, and nothing outside it.
struct DirectoryKey: Sendable {
    /// Holds everything of the store that is not an object; keys cannot start with it.
    static let reserved = ".backupfs-meta"

    let text: String

    /// Throws `.rejected` for a key that is no path of plain names.
    init(_ key: String) throws(ObjectStoreError) {
        let parts = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            (1...255).contains(part.count) && !part.contains(0) && !part.elementsEqual(".".utf8)
                && !part.elementsEqual("..".utf8)
        }
        guard isPlain, key.utf8.count <= 1024, parts.first?.elementsEqual(Self.reserved.utf8) == false else {
            throw .rejected(.invalidKey, message: "a directory cannot hold the key \(key)")
        }
        text = key
    }

    /// The object's path below the root.
    var objectPath: String { text }
    /// The sidecar's path below the root: the same tree once more, so two keys never share one.
    var sidecarPath: String { "\(Self.reserved)/objects/\(text)" }
}

/// A path below the root, split into the directory and the name in it.
func splitPath(_ path: String) -> (parent: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
}
