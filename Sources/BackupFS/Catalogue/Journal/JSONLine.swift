// One JSON object a line, with nothing but numbers, texts and flags in it: what the journal is made of. A million lines are
// read at a restore, so there is no tree of values in between. Whatever the bytes are, reading them ends with fields or with
// an error.

/// Writes one line.
struct JSONLineWriter {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    mutating func add(_ key: StaticString, _ value: Int64) {
        begin(key)
        bytes += "\(value)".utf8
    }

    mutating func add(_ key: StaticString, _ value: Int64?) {
        if let value { add(key, value) }
    }

    mutating func add(_ key: StaticString, _ value: String) {
        begin(key)
        quote(value.utf8)
    }

    mutating func add(_ key: StaticString, _ value: String?) {
        if let value { add(key, value) }
    }

    /// A flag that is only there if it is true.
    mutating func add(flag key: StaticString) {
        begin(key)
        bytes += "true".utf8
    }

    /// Bytes in base 64.
    mutating func add(_ key: StaticString, base64 value: [UInt8]) {
        begin(key)
        bytes.append(UInt8(ascii: "\""))
        Base64.encode(value, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// A name: as text under `key` if it is UTF-8, and in base 64 under `key64` if it is not.
    mutating func add(_ key: StaticString, _ key64: StaticString, name: [UInt8]) {
        guard String(validating: name, as: UTF8.self) != nil else { return add(key64, base64: name) }
        begin(key)
        quote(name)
    }

    /// Ends the line; nothing can be added after that.
    mutating func end() { bytes += [UInt8(ascii: "}"), UInt8(ascii: "\n")] }

    private mutating func begin(_ key: StaticString) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { bytes += $0 }
        bytes += [UInt8(ascii: "\""), UInt8(ascii: ":")]
    }

    private mutating func quote(_ text: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<32:
                let digits = Array("0123456789abcdef".utf8)
                bytes += "\\u00".utf8
                bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// What one line says: its fields in their order.
struct JSONLine {
    enum Value {
        case number(Int64)
        case text(Text)
        case flag(Bool)
        /// Something this reader has no use for: null, a fraction, a list, an object.
        case other
    }

    /// Where a text stands in the line, without its quotation marks.
    struct Text {
        var range: Range<Int>
        /// Whether there are escapes in it.
        var isEscaped: Bool
    }

    /// The line is not one JSON object.
    struct Malformed: Error, Equatable {}

    private let line: ArraySlice<UInt8>
    private var fields: [(key: Text, value: Value)] = []
    /// After the field that was asked for last.
    private var next = 0
    /// A bit for each key, by its length and its first byte: most of what is not there is known not to be by this alone.
    private var marks: UInt64 = 0

    init(_ line: ArraySlice<UInt8>) throws(Malformed) {
        self.line = line
        var scanner = JSONScanner(line)
        fields.reserveCapacity(24)
        try scanner.object { (key, value) throws(Malformed) in
            fields.append((key, value))
            marks |= key.isEscaped ? .max : Self.mark(key.range.count, line[key.range].first)
        }
    }

    private static func mark(_ count: Int, _ first: UInt8?) -> UInt64 {
        1 << (UInt64(count &* 5 &+ Int(first ?? 0)) & 63)
    }

    /// What stands under a key; looked for from where the last one was, as most lines are read in the order of writing.
    mutating func value(_ key: StaticString) -> Value? {
        key.withUTF8Buffer { name in
            guard marks & Self.mark(name.count, name.first) != 0 else { return nil }
            var index = next
            for _ in fields.indices {
                if index == fields.count { index = 0 }
                if isText(fields[index].key, equalTo: name) {
                    next = index + 1
                    return fields[index].value
                }
                index += 1
            }
            return nil
        }
    }

    private func isText(_ text: Text, equalTo name: UnsafeBufferPointer<UInt8>) -> Bool {
        if text.isEscaped { return bytes(of: text).elementsEqual(name) }
        guard text.range.count == name.count else { return false }
        for offset in 0..<name.count where line[text.range.lowerBound + offset] != name[offset] { return false }
        return true
    }

    /// The UTF-8 of a text.
    func bytes(of text: Text) -> [UInt8] {
        text.isEscaped ? JSONScanner.unescaped(line[text.range]) : Array(line[text.range])
    }

    mutating func number(_ key: StaticString) -> Int64? {
        if case .number(let value)? = value(key) { value } else { nil }
    }

    mutating func bytes(_ key: StaticString) -> [UInt8]? {
        if case .text(let value)? = value(key) { bytes(of: value) } else { nil }
    }

    mutating func text(_ key: StaticString) -> String? {
        guard case .text(let value)? = value(key) else { return nil }
        if value.isEscaped { return String(decoding: bytes(of: value), as: UTF8.self) }
        return String(decoding: line[value.range], as: UTF8.self)
    }

    mutating func flag(_ key: StaticString) -> Bool {
        if case .flag(true)? = value(key) { true } else { false }
    }

    /// The bytes of a text in base 64; nil if there is none, or it is not that.
    mutating func base64(_ key: StaticString) -> [UInt8]? {
        guard case .text(let value)? = value(key) else { return nil }
        return Base64.decode(value.isEscaped ? bytes(of: value)[...] : line[value.range])
    }

    /// A name under one of the two keys.
    mutating func name(_ key: StaticString, _ key64: StaticString) -> [UInt8]? { bytes(key) ?? base64(key64) }
}

/// Goes through the bytes of one JSON object.
private struct JSONScanner {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    /// Lists and objects inside each other, in what is passed over.
    private static let deepest = 32

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// The next byte that is not white space; 0 at the end.
    private mutating func next() -> UInt8 {
        while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): position += 1
            default: return bytes[position]
            }
        }
        return 0
    }

    private mutating func expect(_ byte: UInt8) throws(JSONLine.Malformed) {
        guard next() == byte else { throw JSONLine.Malformed() }
        position += 1
    }

    /// The whole line: one object, and nothing after it.
    mutating func object(
        _ receive: (JSONLine.Text, JSONLine.Value) throws(JSONLine.Malformed) -> Void
    ) throws(JSONLine.Malformed) {
        try expect(UInt8(ascii: "{"))
        if next() == UInt8(ascii: "}") {
            position += 1
        } else {
            while true {
                let key = try text()
                try expect(UInt8(ascii: ":"))
                try receive(key, try value(depth: 0))
                if next() == UInt8(ascii: ",") {
                    position += 1
                    continue
                }
                try expect(UInt8(ascii: "}"))
                break
            }
        }
        guard next() == 0, position == bytes.endIndex else { throw JSONLine.Malformed() }
    }

    private mutating func value(depth: Int) throws(JSONLine.Malformed) -> JSONLine.Value {
        switch next() {
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .other)
        case UInt8(ascii: "["), UInt8(ascii: "{"): return try passOver(depth: depth)
        default: return try number()
        }
    }

    private mutating func word(
        _ word: StaticString, _ value: JSONLine.Value
    ) throws(JSONLine.Malformed) -> JSONLine.Value {
        let isThere = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        guard isThere else { throw JSONLine.Malformed() }
        position += word.utf8CodeUnitCount
        return value
    }

    /// A whole number that fits; a fraction, an exponent or a larger one is of no use here.
    private mutating func number() throws(JSONLine.Malformed) -> JSONLine.Value {
        let start = position
        var isWhole = true
        scan: while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "-") where position == start: break
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                isWhole = false
            default: break scan
            }
            position += 1
        }
        guard position > start else { throw JSONLine.Malformed() }
        guard isWhole else { return .other }
        var magnitude: Int64 = 0
        let isNegative = bytes[start] == UInt8(ascii: "-")
        for byte in bytes[(isNegative ? start + 1 : start)..<position] {
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (product, isLarge) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, isLarger) = product.subtractingReportingOverflow(digit)
            if isLarge || isLarger { return .other }
            magnitude = sum
        }
        if isNegative { return .number(magnitude) }
        return magnitude == .min ? .other : .number(-magnitude)
    }

    private mutating func passOver(depth: Int) throws(JSONLine.Malformed) -> JSONLine.Value {
        guard depth < Self.deepest else { throw JSONLine.Malformed() }
        let isObject = bytes[position] == UInt8(ascii: "{")
        let close = UInt8(ascii: isObject ? "}" : "]")
        position += 1
        if next() == close {
            position += 1
            return .other
        }
        while true {
            if isObject {
                _ = try text()
                try expect(UInt8(ascii: ":"))
            }
            _ = try value(depth: depth + 1)
            if next() == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try expect(close)
            return .other
        }
    }

    private mutating func text() throws(JSONLine.Malformed) -> JSONLine.Text {
        try expect(UInt8(ascii: "\""))
        let start = position
        var isEscaped = false
        while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return JSONLine.Text(range: start..<position, isEscaped: isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                position += 1
                var passed: [UInt8] = []
                try escape(&passed)
            default: position += 1
            }
        }
        throw JSONLine.Malformed()
    }

    /// What a text with escapes says, that was gone through before.
    static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var scanner = JSONScanner(text)
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        while scanner.position < text.endIndex {
            let byte = text[scanner.position]
            scanner.position += 1
            if byte == UInt8(ascii: "\\") { try? scanner.escape(&result) } else { result.append(byte) }
        }
        return result
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONLine.Malformed) {
        guard position < bytes.endIndex else { throw JSONLine.Malformed() }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"): text += Array(String(Character(try scalar())).utf8)
        default: throw JSONLine.Malformed()
        }
    }

    /// What follows `\u`, with its other half if it is one of a pair.
    private mutating func scalar() throws(JSONLine.Malformed) -> Unicode.Scalar {
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else { throw JSONLine.Malformed() }
        position += 2
        let second = try unit()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw JSONLine.Malformed() }
        return scalar
    }

    private mutating func unit() throws(JSONLine.Malformed) -> UInt32 {
        guard bytes.endIndex - position >= 4,
            let unit = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw JSONLine.Malformed() }
        position += 4
        return unit
    }
}
