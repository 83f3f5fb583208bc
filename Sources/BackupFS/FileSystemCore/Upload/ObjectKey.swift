// Keys are for people: the file's path, cleaned to what every server stores unchanged, with the version's id before the
// extension. The truth about names is in the catalogue and, percent-encoded, in the object's metadata.

import Catalogue

/// Makes the keys and metadata of objects.
enum ObjectKey {
    /// Bytes of a key that people can still read.
    static let readableLength = 768

    /// The key of a version of the file at `path`: at most `limit` bytes, of which it needs 128.
    ///
    /// No key is a directory of another: only the last part has a `~`.
    static func make(path: [[UInt8]], version: VersionID, limit: Int) -> String {
        var names = path.map(clean)
        let last = clean(TemporaryName.final(of: path.last ?? []))
        names.removeLast(min(1, names.count))
        let (stem, suffix) = split(last)
        let file = "\(stem.prefix(100))~\(version)\(suffix)"
        // A path that is too long loses its outermost directories.
        var length = names.reduce(file.count) { $0 + $1.count + 1 }
        while length > min(limit, readableLength), let first = names.first {
            length -= first.count + 1
            names.removeFirst()
        }
        return (names + [file]).joined(separator: "/")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    /// One name with nothing but letters, digits, `-`, `_` and inner dots; at most 100 characters.
    private static func clean(_ name: [UInt8]) -> String {
        var text: [UInt8] = []
        for byte in name.prefix(100) {
            let isKept = isLetterOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            text.append(isKept ? byte : UInt8(ascii: "_"))
        }
        if text.first == UInt8(ascii: ".") { text[0] = UInt8(ascii: "_") }
        if text.last == UInt8(ascii: ".") { text[text.count - 1] = UInt8(ascii: "_") }
        return text.isEmpty ? "_" : String(decoding: text, as: UTF8.self)
    }

    private static func split(_ name: String) -> (stem: Substring, suffix: Substring) {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].count <= 12 else {
            return (name[...], "")
        }
        return (name[..<dot], name[dot...])
    }
}
