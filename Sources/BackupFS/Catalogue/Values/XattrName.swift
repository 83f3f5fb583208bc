/// The name of an extended attribute: any bytes but NUL, of which nobody says that they are UTF-8.
package struct XattrName: Sendable, Hashable, ExpressibleByStringLiteral {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The capabilities of a program's file; the kernel asks for them before each write(2), to take them away.
    package static let capability: XattrName = "security.capability"

    package init(stringLiteral text: String) { bytes = Array(text.utf8) }

    package func hasPrefix(_ prefix: StaticString) -> Bool {
        prefix.withUTF8Buffer { bytes.starts(with: $0) }
    }
}
