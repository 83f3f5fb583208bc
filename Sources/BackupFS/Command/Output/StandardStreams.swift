import FileSystemCore
import Glibc

/// Where commands write.
enum StandardStreams {
    /// Whether standard output is a terminal.
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    /// Whether standard error is a terminal.
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes to standard output.
    static func output(_ text: String) {
        write(text, to: STDOUT_FILENO)
    }

    /// Writes a line to standard output.
    static func outputLine(_ text: String) {
        output(text + "\n")
    }

    /// Writes a report as one line of JSON.
    static func outputJSON(_ report: some Encodable) throws(CommandError) {
        guard let json = try? ReportCoding.encode(report) else {
            throw .failed("the answer could not be written as JSON")
        }
        outputLine(String(decoding: json, as: UTF8.self))
    }

    /// Writes to standard error.
    static func error(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    /// Writes the one line that says why a command failed, or a warning.
    static func errorLine(_ text: String) {
        error("backupfs: \(text)\n")
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest.removeFirst(count)
        }
    }
}
