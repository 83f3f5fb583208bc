// Bytes as text that every program and every protocol takes.

/// Bytes as lower-case hexadecimal digits.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// Bytes as text: what RFC 3986 calls unreserved, and `keeping`, as they are, everything else as %XX.
package func percentEncoded(_ bytes: some Sequence<UInt8>, keeping: String = "") -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            text.append(byte)
        case _ where "-._~".utf8.contains(byte) || keeping.utf8.contains(byte): text.append(byte)
        default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes that hexadecimal digits tell; nil if others are among them.
package func bytes(hexadecimal text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
        let pair = String(decoding: digits[index...index + 1], as: UTF8.self)
        guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else { return nil }
        bytes.append(byte)
    }
    return bytes
}

/// The bytes that a percent-encoded text tells; a `%` without two digits stands for itself.
package func bytes(percentEncoded text: String) -> [UInt8] {
    let encoded = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < encoded.count {
        if encoded[index] == UInt8(ascii: "%"), index + 2 < encoded.count,
            let byte = bytes(hexadecimal: String(decoding: encoded[index + 1...index + 2], as: UTF8.self))?.first
        {
            result.append(byte)
            index += 3
        } else {
            result.append(encoded[index])
            index += 1
        }
    }
    return result
}

/// A text, the same way.
package func percentEncoded(_ text: String, keeping: String = "") -> String {
    percentEncoded(text.utf8, keeping: keeping)
}
