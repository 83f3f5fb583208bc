// The argument parser works on Strings, and Swift repairs invalid UTF-8 when it makes one: a file name that is not
// UTF-8 could not be named. So every byte that is not part of valid UTF-8 travels through the parser as one scalar of
// the last private use plane, and comes out of it as the byte again.

import Glibc

/// The arguments of the process and how their bytes travel in Strings.
enum RawArguments {
    /// U+10FF00 + byte stands for a byte that is not part of valid UTF-8.
    private static let base: UInt32 = 0x10_FF00

    /// The arguments after the program's name.
    static func ofProcess() -> [String] {
        let count = Int(CommandLine.argc)
        return UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: count).dropFirst().compactMap { argument in
            guard let argument else { return nil }
            return text(of: UnsafeBufferPointer(start: argument, count: strlen(argument)).map { UInt8(bitPattern: $0) })
        }
    }

    /// The String that carries these bytes.
    static func text(of bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        var rest = bytes[...]
        while let first = rest.first {
            var decoder = UTF8()
            var iterator = rest.prefix(4).makeIterator()
            if case .scalarValue(let scalar) = decoder.decode(&iterator), scalar.value < base {
                text.append(scalar)
                rest = rest.dropFirst(UTF8.width(scalar))
            } else {
                if let carrier = Unicode.Scalar(base + UInt32(first)) { text.append(carrier) }
                rest = rest.dropFirst()
            }
        }
        return String(text)
    }

    /// The bytes that a String carries.
    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar -> [UInt8] in
            scalar.value >= base ? [UInt8(truncatingIfNeeded: scalar.value)] : Array(String(scalar).utf8)
        }
    }
}
