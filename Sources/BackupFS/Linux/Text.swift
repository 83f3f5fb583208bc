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

/// A text, the same way.
package func percentEncoded(_ text: String, keeping: String = "") -> String {
    percentEncoded(text.utf8, keeping: keeping)
}
