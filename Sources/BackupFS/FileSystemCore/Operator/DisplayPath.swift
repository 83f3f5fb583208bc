import Linux

/// A path for people and JSON: valid UTF-8 as it is, every other byte percent-encoded (`%FF`).
///
/// For showing only; it cannot be turned back into the path, since a name may hold a percent sign itself.
package func displayPath(_ bytes: [UInt8]) -> String {
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
        if let scalar = firstScalar(of: rest) {
            text.unicodeScalars.append(scalar)
            rest = rest.dropFirst(UTF8.width(scalar))
        } else {
            text += percentEncoded(CollectionOfOne(first))
            rest = rest.dropFirst()
        }
    }
    return text
}

/// The scalar that `bytes` begin with; nil if they do not begin with valid UTF-8.
private func firstScalar(of bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
    var decoder = UTF8()
    var iterator = bytes.prefix(4).makeIterator()
    switch decoder.decode(&iterator) {
    case .scalarValue(let scalar): return scalar
    case .emptyInput, .error: return nil
    }
}

/// A path for people, from its names.
func displayPath(_ names: [[UInt8]]) -> String { displayPath(Array(names.joined(separator: [UInt8(ascii: "/")]))) }
