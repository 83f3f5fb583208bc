// The format of an archive: ustar headers, and before each an extended one of pax (POSIX.1-2001) with what ustar cannot say:
// long names, names that are no UTF-8, large numbers, nanoseconds, extended attributes.

import Catalogue

/// One member of an archive, without its content.
struct TarMember {
    static let block = 512

    /// The name, from `./` on.
    let path: [UInt8]
    let row: Resource
    let xattrs: [(name: XattrName, value: [UInt8])]
    /// The member that this is another name of.
    let link: [UInt8]?

    /// nil for what an archive cannot hold: a socket.
    init?(
        _ names: [[UInt8]], _ row: Resource, _ xattrs: [(name: XattrName, value: [UInt8])] = [], link: [[UInt8]]? = nil
    ) {
        guard row.kind != .socket else { return nil }
        path = Self.path(names, isDirectory: row.kind == .directory)
        self.row = row
        self.xattrs = link == nil ? xattrs : []
        self.link = link.map { Self.path($0, isDirectory: false) }
    }

    private static func path(_ names: [[UInt8]], isDirectory: Bool) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        // With the dot, what unpacks knows the root for the parent of everything, and sets its time last.
        let path = Array(([[UInt8(ascii: ".")]] + names).joined(separator: [slash]))
        return isDirectory ? path + [slash] : path
    }

    /// Bytes of content that follow the header.
    var size: Int64 { row.kind == .file && link == nil ? row.size : 0 }

    private var target: [UInt8] { link ?? (row.kind == .symlink ? row.target ?? [] : []) }

    private var type: UInt8 {
        if link != nil { return UInt8(ascii: "1") }
        return switch row.kind {
        case .file, .socket: UInt8(ascii: "0")
        case .symlink: UInt8(ascii: "2")
        case .character: UInt8(ascii: "3")
        case .block: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    /// The blocks before the content.
    var header: [UInt8] {
        let records = records
        var blocks: [UInt8] = []
        if !records.isEmpty {
            var head = TarHeader(type: UInt8(ascii: "x"), name: Array("./PaxHeaders/".utf8) + path.suffix(80))
            head.set(.mode, Int64(0o600))
            head.set(.size, Int64(records.count))
            blocks = head.finished() + records + Self.padding(Int64(records.count))
        }
        var head = TarHeader(type: type, name: path)
        head.set(.linkName, target)
        head.set(.mode, Int64(row.kind == .symlink ? 0o777 : row.mode))
        head.set(.uid, Int64(row.uid))
        head.set(.gid, Int64(row.gid))
        head.set(.size, size)
        head.set(.modified, max(0, row.modified / 1_000_000_000))
        if row.kind == .character || row.kind == .block {
            // What makedev(3) puts together.
            head.set(.major, Int64(row.device >> 8 & 0xFFF | row.device >> 32 & 0xFFFF_F000))
            head.set(.minor, Int64(row.device & 0xFF | row.device >> 12 & 0xFFFF_FF00))
        }
        return blocks + head.finished()
    }

    /// What fills the last block of `count` bytes.
    static func padding(_ count: Int64) -> [UInt8] {
        [UInt8](repeating: 0, count: (block - Int(count % Int64(block))) % block)
    }

    private var records: [UInt8] {
        let isBinary = [path, target].contains { String(validating: $0, as: UTF8.self) == nil }
        var records: [UInt8] = []
        var long: [(String, [UInt8])] = []
        if !TarHeader.Field.name.holds(path) { long.append(("path", path)) }
        if !TarHeader.Field.linkName.holds(target) { long.append(("linkpath", target)) }
        if isBinary, !long.isEmpty { long.insert(("hdrcharset", Array("BINARY".utf8)), at: 0) }
        for (keyword, value) in long { records += Self.record(keyword, value) }
        records += Self.record("mtime", Array(Self.time(row.modified).utf8))
        records += Self.record("atime", Array(Self.time(row.accessed).utf8))
        let numbers: [(String, TarHeader.Field, Int64)] = [
            ("size", .size, size), ("uid", .uid, Int64(row.uid)), ("gid", .gid, Int64(row.gid)),
        ]
        for (keyword, field, number) in numbers where !field.holds(number) {
            records += Self.record(keyword, Array("\(number)".utf8))
        }
        for (name, value) in xattrs { records += Self.record(Array("SCHILY.xattr.".utf8) + Self.keyword(name), value) }
        return records
    }

    /// As GNU tar writes names with characters that a keyword cannot have.
    private static func keyword(_ name: XattrName) -> [UInt8] {
        name.bytes.flatMap { byte in
            switch byte {
            case UInt8(ascii: "%"): Array("%25".utf8)
            case UInt8(ascii: "="): Array("%3D".utf8)
            default: [byte]
            }
        }
    }

    /// Seconds, with decimals if there are any.
    private static func time(_ nanoseconds: Nanoseconds) -> String {
        let (seconds, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        let sign = nanoseconds < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(seconds)" }
        let decimals = String("\(1_000_000_000 + rest)".dropFirst())
        return "\(sign)\(seconds).\(decimals)"
    }

    private static func record(_ keyword: String, _ value: [UInt8]) -> [UInt8] { record(Array(keyword.utf8), value) }

    /// A record begins with its own length.
    private static func record(_ keyword: [UInt8], _ value: [UInt8]) -> [UInt8] {
        let rest = [UInt8(ascii: " ")] + keyword + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
        var length = rest.count + 1
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }
}

/// One ustar header.
struct TarHeader {
    /// A field: where it is, and how long.
    struct Field {
        let offset: Int
        let length: Int

        static let name = Field(offset: 0, length: 100)
        static let mode = Field(offset: 100, length: 8)
        static let uid = Field(offset: 108, length: 8)
        static let gid = Field(offset: 116, length: 8)
        static let size = Field(offset: 124, length: 12)
        static let modified = Field(offset: 136, length: 12)
        static let sum = Field(offset: 148, length: 8)
        static let linkName = Field(offset: 157, length: 100)
        static let major = Field(offset: 329, length: 8)
        static let minor = Field(offset: 337, length: 8)

        func holds(_ number: Int64) -> Bool { number >= 0 && number >> (3 * Int64(length - 1)) == 0 }
        func holds(_ text: [UInt8]) -> Bool { text.count <= length }
    }

    private var bytes = [UInt8](repeating: 0, count: TarMember.block)

    init(type: UInt8, name: [UInt8]) {
        set(.name, name)
        bytes[156] = type
        bytes.replaceSubrange(257..<265, with: Array("ustar\u{0}00".utf8))
        set(.major, Int64(0))
        set(.minor, Int64(0))
        for field in [Field.mode, .uid, .gid, .size, .modified] { set(field, Int64(0)) }
    }

    /// Text that is too long is cut: the extended header has all of it.
    mutating func set(_ field: Field, _ text: [UInt8]) {
        let some = text.prefix(field.length)
        bytes.replaceSubrange(field.offset..<field.offset + some.count, with: some)
    }

    /// In octal, with a NUL behind it; a number that is too large is left to the extended header.
    mutating func set(_ field: Field, _ number: Int64) {
        let digits = Array(String(field.holds(number) ? number : 0, radix: 8).utf8)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, field.length - 1 - digits.count))
        set(field, zeros + digits)
    }

    /// The header with its sum.
    func finished() -> [UInt8] {
        var header = self
        header.set(.sum, [UInt8](repeating: UInt8(ascii: " "), count: Field.sum.length))
        let sum = header.bytes.reduce(0) { $0 + Int64($1) }
        let digits = Array(String(sum, radix: 8).utf8)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: 6 - digits.count)
        header.set(.sum, zeros + digits + [0, UInt8(ascii: " ")])
        return header.bytes
    }
}
