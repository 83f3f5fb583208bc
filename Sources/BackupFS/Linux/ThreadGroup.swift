import CLinux
import Glibc

/// The process that a thread is one of, as its number; nil if the thread is gone or in a name space that cannot be seen from
/// here.
///
/// A number that is used anew between two calls belongs to somebody else. Source: pidfd_open(2), proc_pid_status(5).
package func processID(ofThread thread: Int32) -> Int32? {
    guard thread > 0 else { return nil }
    // Most callers are their process's first thread, which has its number; only of such there is a descriptor.
    let descriptor = backupfs_open_process(thread)
    if descriptor >= 0 {
        close(descriptor)
        return thread
    }
    guard errno != ESRCH else { return nil }
    return processInStatus(of: thread)
}

private func processInStatus(of thread: Int32) -> Int32? {
    let file = open("/proc/\(thread)/status", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    // The line is one of the first; a name has 64 bytes at most.
    var text = [UInt8](repeating: 0, count: 1024)
    let count = read(file, &text, text.count)
    guard count > 0 else { return nil }
    let line = text[..<count].split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Tgid:".utf8) }
    return line.flatMap { Int32(String(decoding: $0.dropFirst(5), as: UTF8.self).filter(\.isNumber)) }
}
