import Foundation

@testable import Command

/// A directory of one test's own, removed at the end.
final class TemporaryDirectory: Sendable {
    /// Where it is, without symbolic links.
    let path: BytePath

    init() throws {
        let name = FileManager.default.temporaryDirectory.appendingPathComponent("command-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: name, withIntermediateDirectories: true)
        path = try BytePath(name.path).resolved()
    }

    deinit {
        try? FileManager.default.removeItem(atPath: text)
    }

    /// The path as text.
    var text: String { String(decoding: path.bytes, as: UTF8.self) }

    /// A directory in it, made if needed.
    func directory(_ name: String) throws -> BytePath {
        let path = path.appending(name.split(separator: "/").map { Array($0.utf8) })
        try FileManager.default.createDirectory(
            atPath: String(decoding: path.bytes, as: UTF8.self), withIntermediateDirectories: true)
        return path
    }

    /// A file in it with this content.
    func file(_ name: String, _ content: String = "") throws -> BytePath {
        let path = path.appending(name.split(separator: "/").map { Array($0.utf8) })
        try Data(content.utf8).write(to: URL(fileURLWithPath: String(decoding: path.bytes, as: UTF8.self)))
        return path
    }
}
