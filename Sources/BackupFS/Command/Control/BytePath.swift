import ArgumentParser
import FileSystemCore
import Glibc
import Linux

/// A path as the kernel has it: bytes without NUL, valid UTF-8 or not.
struct BytePath: Hashable, Sendable {
    /// The bytes, without a terminating NUL.
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    /// The names between the slashes, empty ones left out.
    var components: [[UInt8]] { bytes.split(separator: slash).map(Array.init) }

    /// Whether it begins with a slash.
    var isAbsolute: Bool { bytes.first == slash }

    /// The path without its last name; the root of the root is the root.
    var parent: BytePath {
        let names = components.dropLast().map { $0[...] }
        let joined = Array(names.joined(separator: [slash]))
        return BytePath(isAbsolute ? [slash] + joined : joined.isEmpty ? Array(".".utf8) : joined)
    }

    /// The path with further names.
    func appending(_ names: [[UInt8]]) -> BytePath {
        var result = bytes
        for name in names {
            if let last = result.last, last != slash { result.append(slash) }
            result += name
        }
        return BytePath(result)
    }

    /// The path with one further name.
    func appending(_ name: String) -> BytePath { appending([Array(name.utf8)]) }

    /// The names below `ancestor`; nil if the path is not at or below it.
    ///
    /// Both are absolute, without `.` and `..`.
    func components(below ancestor: BytePath) -> [[UInt8]]? {
        let mine = components
        let theirs = ancestor.components
        guard mine.starts(with: theirs) else { return nil }
        return Array(mine.dropFirst(theirs.count))
    }

    /// The path, made absolute with the working directory; symbolic links and `..` stay.
    func absolute() -> BytePath {
        guard !isAbsolute, let directory = getcwd(nil, 0) else { return self }
        defer { free(directory) }
        return BytePath(cStringBytes(directory)).appending([bytes])
    }

    /// The path without symbolic links, `.` and `..` (realpath(3)); throws the errno if it does not exist.
    func resolved() throws(SystemError) -> BytePath {
        guard let result = withCString({ realpath($0, nil) }) else { throw SystemError("realpath") }
        defer { free(result) }
        return BytePath(cStringBytes(result))
    }

    /// The same, but a symbolic link at the end stays as it is (lstat(2)'s view).
    func resolvedKeepingLastLink() throws(SystemError) -> BytePath {
        guard try status().isSymbolicLink, let last = components.last else { return try resolved() }
        return try absolute().parent.resolved().appending([last])
    }

    /// What lstat(2) says.
    func status() throws(SystemError) -> stat {
        var result = stat()
        guard withCString({ lstat($0, &result) }) == 0 else { throw SystemError("lstat") }
        return result
    }

    /// Calls `body` with the path as a C string.
    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let text = bytes.map { CChar(bitPattern: $0) } + [0]
        return try text.withUnsafeBufferPointer { buffer throws(Failure) in
            guard let start = buffer.baseAddress else { return try body("") }
            return try body(start)
        }
    }
}

extension BytePath: CustomStringConvertible {
    /// The path for people: invalid UTF-8 percent-encoded, control characters escaped.
    var description: String { terminalText(displayPath(bytes)) }
}

extension BytePath: ExpressibleByArgument {
    init(argument: String) {
        self.init(RawArguments.bytes(of: argument))
    }
}

extension stat {
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    var isSymbolicLink: Bool { st_mode & S_IFMT == S_IFLNK }
}

private let slash = UInt8(ascii: "/")

private func cStringBytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
    UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
}

/// The bytes of a small file; throws EFBIG for one that is longer than `limit`.
func readWhole(_ path: BytePath, limit: Int) throws(SystemError) -> [UInt8] {
    let file = try Descriptor(taking: path.withCString { open($0, O_RDONLY | O_CLOEXEC) }, from: "open")
    return try file.readAll(limit: limit)
}
