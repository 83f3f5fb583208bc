// Many programs write a file under another name and rename it when it is whole. Its object is made before that, and says the
// final name where the temporary one tells it. What the object says is for people and other tools; the journal has the last word.

/// Names that programs give to files that are not finished.
enum TemporaryName {
    /// The name that a file will have; the same name if it is none that is known.
    static func final(of name: [UInt8]) -> [UInt8] {
        for rule in [ofRsync, ofNextcloud, ofEnding] {
            if let final = rule(name), !final.isEmpty { return final }
        }
        return name
    }

    private static let dot = UInt8(ascii: ".")

    /// rsync's `.NAME.XXXXXX`.
    private static func ofRsync(_ name: [UInt8]) -> [UInt8]? {
        guard name.count > 8, name[0] == dot, name[name.count - 7] == dot, name.suffix(6).allSatisfy(isLetterOrDigit)
        else { return nil }
        return Array(name[1..<(name.count - 7)])
    }

    /// Nextcloud's and ownCloud's `NAME.ocTransferIdNUMBER.part`.
    private static func ofNextcloud(_ name: [UInt8]) -> [UInt8]? {
        let mark = Array(".ocTransferId".utf8)
        guard let rest = removing(".part", from: name), let start = rest.lastIndex(of: dot),
            rest[start...].starts(with: mark), rest.count > start + mark.count,
            rest[(start + mark.count)...].allSatisfy(isDigit)
        else { return nil }
        return Array(rest[..<start])
    }

    /// What browsers, exiftool and others append; none of these is the type of a file.
    private static func ofEnding(_ name: [UInt8]) -> [UInt8]? {
        let endings = [
            "_exiftool_tmp", ".crdownload", ".part", ".partial", ".filepart", ".download", ".opdownload", ".tmp",
            ".temp",
            ".uploading", ".syncthing.tmp",
        ]
        for ending in endings {
            guard let rest = removing(ending, from: name) else { continue }
            // Syncthing hides what it is receiving, too.
            let hidden = Array(".syncthing.".utf8)
            return rest.starts(with: hidden) ? Array(rest.dropFirst(hidden.count)) : rest
        }
        return nil
    }

    private static func removing(_ ending: String, from name: [UInt8]) -> [UInt8]? {
        let bytes = Array(ending.utf8)
        guard name.count > bytes.count, name.suffix(bytes.count).elementsEqual(bytes) else { return nil }
        return Array(name.dropLast(bytes.count))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
