// A daemon is this program again, in a session of its own. Secrets pass through the environment and never through the arguments.

import FileSystemCore
import Glibc
import Linux

/// Starts the daemon of a mount.
enum DaemonLauncher {
    /// The descriptor at which the daemon finds the pipe to the command that started it.
    private static let readyDescriptor: Int32 = 3

    /// Starts `backupfs mount --ready-descriptor 3 ARGUMENTS` and waits until it is mounted.
    ///
    /// `arguments` are those of `mount`, in the bytes they came in; `warn` is called for each of the daemon's warnings.
    static func launch(
        program: BytePath, arguments: [[UInt8]], warn: (String) -> Void
    ) throws(CommandError) -> Result<Void, DaemonFailure> {
        let reader: Descriptor
        do throws(SystemError) {
            reader = try start(program, arguments)
        } catch {
            throw .failed("the daemon could not be started (\(error))")
        }
        for line in LineReader(reader) {
            switch ReadyMessage(line: line) {
            case .warning(let text): warn(text)
            case .ready: return .success(())
            case .failed(let status, let text): return .failure(DaemonFailure(status: status, line: text))
            case nil: continue
            }
        }
        return .failure(
            DaemonFailure(
                status: ExitStatus.failed.rawValue,
                line: "the daemon ended before it had mounted: look into MAIN/.backupfs/backupfs.log"))
    }

    /// This program's file.
    static func ownProgram() -> BytePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = BytePath(buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) })
        // A program that was replaced while it runs has another name by now.
        return (try? path.status()) == nil ? BytePath("/proc/self/exe") : path
    }

    private static func start(
        _ program: BytePath, _ arguments: [[UInt8]]
    ) throws(SystemError) -> Descriptor {
        let (reader, writer) = try makePipe()
        let options = ["backupfs", "mount", "--ready-descriptor", "\(readyDescriptor)"].map { Array($0.utf8) }
        _ = try ChildProcess.start(
            .file(program.bytes), options + arguments, files: .only(writer, at: readyDescriptor),
            standing: .ownSession)
        return reader
    }
}

/// A daemon that did not come up.
struct DaemonFailure: Error, Equatable {
    /// The exit status that it chose.
    var status: Int32
    /// Its line.
    var line: String
}

/// The lines of a pipe until its other end closes.
private struct LineReader: Sequence, IteratorProtocol {
    private let source: Descriptor
    private var received: [UInt8] = []

    init(_ source: Descriptor) {
        self.source = source
    }

    mutating func next() -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = read(source.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0, received.count < ControlProtocol.lineLimit else { return nil }
            received += buffer[..<count]
        }
    }
}
