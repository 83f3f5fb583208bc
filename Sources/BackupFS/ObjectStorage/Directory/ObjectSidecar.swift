import Foundation

/// What a directory store keeps about an object beside its bytes: one small JSON file an object.
struct ObjectSidecar: Codable, Equatable {
    /// The longest sidecar that is read, in bytes: 2 KB of metadata, escaped, and the rest.
    static let longest: Int64 = 64 * 1024

    var contentType: String
    var metadata: [String: String]
    /// Lower-case hexadecimal.
    var sha256: String
    /// The object's length in bytes.
    var size: Int64

    init(_ attributes: ObjectAttributes, sha256: String, size: Int64) {
        contentType = attributes.contentType
        metadata = attributes.metadata
        self.sha256 = sha256
        self.size = size
    }

    /// Reads a sidecar; nil if the text is none.
    init?(json: [UInt8]) {
        guard let decoded = try? JSONDecoder().decode(Self.self, from: Data(json)) else { return nil }
        self = decoded
    }

    /// The sidecar as a file's content, with sorted names.
    var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and integers only: encoding them cannot fail.
        return (try? encoder.encode(self)).map { [UInt8]($0) } ?? []
    }
}
