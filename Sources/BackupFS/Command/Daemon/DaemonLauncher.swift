// A daemon is this program again, in a session of its own: posix_spawn, never fork, since a fork of a process with
// threads may only exec. Secrets pass through the environment and never through the arguments.

import CLinux
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
            let pipe = try makePipe()
            reader = pipe.reader
            try spawn(
                program, ["backupfs", "mount", "--ready-descriptor", "\(readyDescriptor)"], arguments, pipe.writer)
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

    private static func makePipe() throws(SystemError) -> (reader: Descriptor, writer: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard backupfs_pipe(&ends) == 0 else { throw SystemError("pipe2") }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    private static func spawn(
        _ program: BytePath, _ options: [String], _ arguments: [[UInt8]], _ writer: Descriptor
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // The pipe first: opening the standard three might close it if one of them was closed here.
        posix_spawn_file_actions_adddup2(&actions, writer.number, readyDescriptor)
        for standard in Int32(0)...2 { posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0) }
        backupfs_spawn_close_from(&actions, readyDescriptor + 1)
        posix_spawnattr_setflags(&attributes, backupfs_spawn_new_session)
        let words = options.map { Array($0.utf8) } + arguments
        var pointers = words.map { word in strdup(word.map { CChar(bitPattern: $0) } + [0]) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        let result = program.withCString { posix_spawn(&process, $0, &actions, &attributes, &pointers, Glibc.environ) }
        guard result == 0 else { throw SystemError("posix_spawn", result) }
        withExtendedLifetime(writer) {}
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
