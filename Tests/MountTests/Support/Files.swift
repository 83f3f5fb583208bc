// System calls on files, each failure with the call that failed: which call reports what is what the tests are about.

import Foundation
import Glibc
import Synchronization

/// A system call failed.
struct CallFailure: Error, Equatable, CustomStringConvertible {
    /// The call: `open`, `write`, `close`, ...
    var call: String
    /// Its errno.
    var code: Int32

    var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// Returns what the call returned, or throws its errno.
@discardableResult
func check(_ call: String, _ result: @autoclosure () -> Int) throws(CallFailure) -> Int {
    let value = result()
    guard value >= 0 else { throw CallFailure(call: call, code: errno) }
    return value
}

/// An open file, closed by `close` or `abandon`.
struct OpenFile: Sendable {
    let number: Int32

    init(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws(CallFailure) {
        number = Int32(try check("open", Int(Glibc.open(path, flags | O_CLOEXEC, mode))))
    }

    func write(_ bytes: [UInt8]) throws(CallFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            done += try check("write", count)
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(CallFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(number, $0.baseAddress, $0.count, off_t(offset + done))
            }
            done += try check("pwrite", count)
        }
    }

    func readAll() throws(CallFailure) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = try check("read", Glibc.read(number, &buffer, buffer.count))
            if count == 0 { return result }
            result += buffer[..<count]
        }
    }

    func synchronize() throws(CallFailure) { try check("fsync", Int(Glibc.fsync(number))) }

    func truncate(to size: Int) throws(CallFailure) { try check("ftruncate", Int(Glibc.ftruncate(number, size))) }

    func close() throws(CallFailure) { try check("close", Int(Glibc.close(number))) }

    /// Closes where the outcome is of no interest.
    func abandon() { _ = Glibc.close(number) }
}

/// Creates or replaces a file's content: open, write, close.
func writeFile(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(CallFailure) {
    let file = try OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    do throws(CallFailure) {
        try file.write(bytes)
    } catch {
        file.abandon()
        throw error
    }
    try file.close()
}

/// The failure of creating or replacing a file's content; nil if it succeeded.
func failureOfWriting(_ path: String, _ bytes: [UInt8]) -> CallFailure? {
    do throws(CallFailure) { try writeFile(path, bytes) } catch { return error }
    return nil
}

/// A file's content.
func readFile(_ path: String) throws(CallFailure) -> [UInt8] {
    let file = try OpenFile(path, O_RDONLY)
    defer { file.abandon() }
    return try file.readAll()
}

/// The failure of reading a file; nil if it can be read.
func failureOfReading(_ path: String) -> CallFailure? {
    do throws(CallFailure) { _ = try readFile(path) } catch { return error }
    return nil
}

func remove(_ path: String) throws(CallFailure) { try check("unlink", Int(Glibc.unlink(path))) }

func makeDirectory(_ path: String) throws(CallFailure) { try check("mkdir", Int(Glibc.mkdir(path, 0o755))) }

func rename(_ path: String, to target: String) throws(CallFailure) {
    try check("rename", Int(Glibc.rename(path, target)))
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

func status(_ path: String) throws(CallFailure) -> stat {
    var status = stat()
    try check("lstat", Int(lstat(path, &status)))
    return status
}

/// The names in a directory, sorted.
func names(in path: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }

/// The paths of all files (not directories) below a directory, relative to it, sorted.
func filesBelow(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).filter { below in
        (try? status("\(path)/\(below)").st_mode & S_IFMT) != S_IFDIR
    }.sorted()
}

/// Bytes like a photo's: a JPEG's first bytes, then noise that no two seeds share.
func photo(_ seed: Int, size: Int = 200_000) -> [UInt8] {
    var state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    var bytes: [UInt8] = [0xff, 0xd8, 0xff, 0xe0]
    bytes.reserveCapacity(size + 8)
    while bytes.count < size {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        withUnsafeBytes(of: state) { bytes.append(contentsOf: $0) }
    }
    return Array(bytes.prefix(size))
}

/// SHA-256 of bytes in lower-case hexadecimal, by another program than the one under test.
func sha256(ofFile path: String, in sandbox: Sandbox) throws -> String {
    String(try sandbox.run(["sha256sum", path]).output.trimmingPrefix("\\").prefix(64))
}

/// Runs `body` on `count` threads at once and returns their results in order.
func concurrently<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) -> [Result] {
    Crowd(count, body).wait()
}

/// Threads that each do one thing, which may block for long.
final class Crowd<Result: Sendable>: Sendable {
    private let count: Int
    private let results = Mutex<[Int: Result]>([:])

    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) {
        self.count = count
        for index in 0..<count {
            let thread = Thread { [self] in
                let result = body(index)
                results.withLock { $0[index] = result }
            }
            thread.stackSize = 1 << 18
            thread.start()
        }
    }

    /// How many are done.
    var finished: Int { results.withLock { $0.count } }

    /// Waits for all; the sandbox's watchdog ends a wait that would last for ever.
    func wait() -> [Result] {
        while finished < count { usleep(5000) }
        return results.withLock { found in found.sorted { $0.key < $1.key }.map(\.value) }
    }
}
