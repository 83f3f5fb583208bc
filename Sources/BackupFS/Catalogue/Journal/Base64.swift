import Foundation

/// Base 64 (RFC 4648, section 4) of bytes in lines.
enum Base64 {
    static func encode(_ value: [UInt8], into text: inout [UInt8]) {
        text += Data(value).base64EncodedData()
    }

    static func text(_ value: [UInt8]) -> String { Data(value).base64EncodedString() }

    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? { Data(base64Encoded: Data(text)).map { [UInt8]($0) } }
}
