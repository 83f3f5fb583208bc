// Where copies of a backup go beside a directory that somebody names.

import FileSystemCore
import FoundationEssentials
import Glibc
import Linux

/// What is to be copied.
struct CopyRequest {
    /// As it was last by this time; nil: as it is.
    var time: Int64?
    /// Only what has a path that matches; nil: everything.
    var pattern: String?
}

/// A directory that is there for one command.
enum TemporaryPlace {
    /// Hands `body` an empty directory in TMPDIR, and removes it.
    static func run<Value>(_ body: (BytePath) throws -> Value) throws -> Value {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/backupfs-copy.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandError.failed("no directory can be made in \(parent): set TMPDIR")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(BytePath(path))
    }
}

/// The file that an archive is written to, or a pipe.
struct ArchiveFile {
    private let path: BytePath
    private let file: Descriptor
    /// It is a file that can be removed when it is not whole.
    private let isPlain: Bool

    /// Opens it, or standard output if it is `-`.
    ///
    /// A terminal is refused.
    init(_ path: BytePath) throws {
        self.path = path
        let isStreamed = path == BytePath("-")
        do throws(SystemError) {
            if isStreamed {
                file = try Descriptor(duplicating: STDOUT_FILENO)
            } else {
                let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY
                file = try Descriptor(taking: path.withCString { open($0, flags, 0o666) }, from: "open")
            }
            let kind = try file.readStatus().st_mode & S_IFMT
            isPlain = !isStreamed && kind == S_IFREG
        } catch {
            throw CommandError.failed("\(path) cannot be written: \(errnoText(error.code))")
        }
        guard isatty(file.number) == 0 else {
            throw CommandError.failed("an archive is not for a terminal: give --tar FILE, or send it through a pipe")
        }
    }

    /// Has `body` write it; a file that did not become whole is removed.
    func write<Value>(_ body: (Descriptor) throws -> Value) throws -> Value {
        // A pipe whose reader stops is an error like others.
        signal(SIGPIPE, SIG_IGN)
        do {
            return try body(file)
        } catch {
            if isPlain { _ = path.withCString { unlink($0) } }
            throw error
        }
    }
}
