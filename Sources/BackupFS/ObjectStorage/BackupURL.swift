/// Where backups go, as an operator writes it: `s3://bucket[/prefix]` or `file:///directory`.
///
/// The text is taken as it is, without percent-encoding.
package struct BackupURL: Sendable, Equatable {
    /// The kinds of backup storage.
    package enum Place: Sendable, Equatable {
        /// A bucket; `prefix` neither starts nor ends with a slash and may be empty.
        case bucket(String, prefix: String)
        /// A directory's absolute path, without a slash at the end.
        case directory(String)
    }

    /// The place that the URL names.
    package let place: Place

    /// The longest prefix in bytes: half of what S3 allows for a key stays for the path of a file.
    private static let longestPrefix = 512

    /// Reads a URL.
    ///
    /// Throws `.invalidURL` or `.credentialsInURL`; asks no network and no disk.
    package init(_ text: String) throws(StoreConfigurationError) {
        if text.hasPrefix("s3://") {
            place = try Self.bucket(text)
        } else if text.hasPrefix("file://") {
            place = try Self.directory(text)
        } else {
            throw .invalidURL(Self.printable(text), reason: "write s3://BUCKET/PREFIX or file:///DIRECTORY")
        }
    }

    private static func bucket(_ text: String) throws(StoreConfigurationError) -> Place {
        guard !text.utf8.contains(UInt8(ascii: "@")) else { throw .credentialsInURL }
        let shown = printable(text)
        guard !text.utf8.contains(where: { "?#%".utf8.contains($0) }) else {
            throw .invalidURL(shown, reason: "a bucket and a prefix have no ?, # or %")
        }
        let rest = text.dropFirst("s3://".count)
        let name = String(rest.prefix { $0 != "/" })
        guard isBucketName(name) else {
            throw .invalidURL(shown, reason: "a bucket's name has 3 to 63 letters, digits, dots and hyphens")
        }
        var prefix = rest.dropFirst(name.count + 1)
        while prefix.hasSuffix("/") { prefix.removeLast() }
        guard prefix.utf8.count <= longestPrefix else {
            throw .invalidURL(shown, reason: "the prefix is longer than \(longestPrefix) bytes")
        }
        let isPlain = prefix.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") }
        let parts = prefix.isEmpty ? [] : prefix.split(separator: "/", omittingEmptySubsequences: false)
        guard isPlain, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw .invalidURL(shown, reason: "a prefix is made of ASCII names between single slashes, without . and ..")
        }
        return .bucket(name, prefix: String(prefix))
    }

    private static func isBucketName(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        let bytes = name.utf8
        return (3...63).contains(bytes.count) && isAlphanumeric(bytes.first) && isAlphanumeric(bytes.last)
            && bytes.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) } && !name.contains("..")
    }

    private static func directory(_ text: String) throws(StoreConfigurationError) -> Place {
        let shown = printable(text)
        let path = text.dropFirst("file://".count)
        guard path.hasPrefix("/") else {
            throw .invalidURL(shown, reason: "write three slashes and an absolute path: file:///DIRECTORY")
        }
        guard !path.utf8.contains(0), path.utf8.count < 4096 else {
            throw .invalidURL(shown, reason: "it is no path that a directory can have")
        }
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !parts.isEmpty, !parts.contains("..") else {
            throw .invalidURL(shown, reason: "name the directory itself, neither / nor a path with ..")
        }
        return .directory("/" + parts.joined(separator: "/"))
    }

    /// A text on one line, whatever it holds.
    private static func printable(_ text: String) -> String {
        String(text.prefix(200).map { $0.isNewline || $0 == "\0" ? "?" : $0 })
    }
}

extension BackupURL: CustomStringConvertible {
    /// The URL as `init(_:)` reads it.
    package var description: String {
        switch place {
        case .bucket(let name, let prefix): prefix.isEmpty ? "s3://\(name)" : "s3://\(name)/\(prefix)"
        case .directory(let path): "file://\(path)"
        }
    }
}
