// Runs the program of a credential_process: no shell, no input, its output read up to a limit, ended with everything it
// has started when the deadline comes. What it writes to standard error is not kept: it may hold secrets.

import Glibc
import Linux

/// One run of a program that prints credentials.
enum CredentialProcess {
    private static let longest = 64 * 1024

    /// What the program printed; blocks until it has ended.
    ///
    /// Throws `.denied` with `source` in the message if it cannot be run or fails, and `.unreachable` at the deadline.
    static func output(
        _ words: [String], source: String, deadline: ContinuousClock.Instant
    ) throws(ObjectStoreError) -> [UInt8] {
        let (reader, child) = try start(words, source)
        let bytes = read(reader, until: deadline)
        // Who prints without end is ended, not waited for.
        let isTooLong = (bytes?.count ?? 0) > longest
        if bytes == nil || isTooLong { child.killGroup() }
        let ending = child.wait(until: deadline)
        guard !isTooLong else { throw .noCredentials("\(source) printed more than credentials") }
        guard let bytes, let ending else { throw .unreachable(reason: "\(source) did not end in time") }
        guard ending == 0 else { throw .noCredentials("\(source) failed with the status \(ending)") }
        return bytes
    }

    /// The program, and the end of its output: the other end stays open in the program only.
    private static func start(
        _ words: [String], _ source: String
    ) throws(ObjectStoreError) -> (reader: Descriptor, child: ChildProcess) {
        let reader: Descriptor
        let writer: Descriptor
        do throws(SystemError) {
            (reader, writer) = try makePipe()
        } catch {
            throw .localFile(errno: error.code)
        }
        do throws(SystemError) {
            let child = try ChildProcess.start(
                .named(words[0]), words.map { Array($0.utf8) }, files: .only(writer, at: STDOUT_FILENO),
                standing: .ownGroup)
            return (reader, child)
        } catch {
            throw .noCredentials("\(source) cannot be run: \(error.reason)")
        }
    }

    /// All that comes, up to one byte more than the limit; nil at the deadline.
    private static func read(_ reader: Descriptor, until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= longest {
            guard (try? reader.waitUntilReadable(until: deadline)) == true else { return nil }
            let count = Glibc.read(reader.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
