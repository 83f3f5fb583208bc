// Reads that the kernel answers from main's files by itself (Linux 6.9, FUSE_PASSTHROUGH). What is said on the wire is in
// SessionTransport.swift; which open is passed through is the core's to decide (OpenModes.swift).

import CFuse
import FileSystemCore
import Foundation
import Glibc
import Linux
import Logging
import Synchronization

/// Whether the session passes reads through, and the main copies that the kernel knows.
final class Passthrough: BackingFiles {
    private enum State {
        /// The kernel was not asked yet.
        case wanted
        case on
        case off(reason: String)
    }

    private struct Values {
        var state: State
        var session: Int32?
        var files = 0
    }

    /// Guards the state and the number of files; held for no call.
    private let values: Mutex<Values>
    private let logger: Logger

    /// `obstacle`: why reads are not to be passed through.
    init(obstacle: String?, logger: Logger) {
        values = Mutex(Values(state: obstacle.map { .off(reason: $0) } ?? .wanted))
        self.logger = logger
    }

    /// Why this daemon cannot have reads of `fileSystem` passed through; nil if nothing is known against it.
    static func obstacle(_ fileSystem: BackupFileSystem) -> String? {
        // CAP_SYS_ADMIN registers files, CAP_LEASE sees who has mapped one (capabilities(7)).
        guard hasCapabilities([21, 28]) else { return "the daemon lacks CAP_SYS_ADMIN or CAP_LEASE" }
        return fileSystem.obstacleToPassthrough
    }

    private static func hasCapabilities(_ numbers: [UInt64]) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
            let mask = line.split(separator: ":").last.flatMap({
                UInt64($0.trimmingCharacters(in: .whitespaces), radix: 16)
            })
        else { return false }
        return numbers.allSatisfy { mask & (1 << $0) != 0 }
    }

    /// Speaks on the session's descriptor from now on, unless reads are not to be passed through.
    func begin(_ session: OpaquePointer) {
        guard isWanted else { return }
        let descriptor = fuse_session_fd(session)
        guard SessionTransport.install(session, descriptor) else {
            return switchOff("libfuse does not let us speak with the kernel")
        }
        values.withLock { $0.session = descriptor }
    }

    /// The session's descriptor is closed soon.
    func end() {
        values.withLock { values in
            values.state = .off(reason: "not mounted")
            values.session = nil
        }
    }

    /// Whether the kernel is still to be asked.
    var isWanted: Bool { values.withLock { if case .wanted = $0.state { true } else { false } } }

    /// What the kernel has offered in its first message.
    func kernelOffers(_ isOffered: Bool) {
        if !isOffered { switchOff("the kernel has no passthrough (Linux 6.9)") }
    }

    /// The kernel was asked, or could not be.
    func kernelWasAsked(_ isAsked: Bool) {
        guard isAsked else { return switchOff("libfuse speaks an older protocol") }
        values.withLock { if case .wanted = $0.state { $0.state = .on } }
    }

    private func switchOff(_ reason: String) {
        values.withLock { $0.state = .off(reason: reason) }
        logger.info("programs read through the daemon", metadata: ["reason": "\(reason)"])
    }

    // MARK: Main copies

    func register(_ copy: Int32) -> BackingFile? {
        let session = values.withLock { values -> Int32? in
            guard case .on = values.state else { return nil }
            return values.session
        }
        guard let session else { return nil }
        let number = backupfs_backing_open(session, copy)
        guard number > 0 else {
            // Any other failure is of this file, or of this moment.
            switch errno {
            case ELOOP: switchOff("main's file system lies on another one (overlayfs)")
            case EPERM, ENOTTY, EOPNOTSUPP: switchOff("the kernel refuses it (\(errnoText(errno)))")
            default: break
            }
            return nil
        }
        values.withLock { $0.files += 1 }
        return BackingFile(id: number)
    }

    func forget(_ backing: BackingFile) {
        let session = values.withLock { values -> Int32? in
            values.files -= 1
            return values.session
        }
        if let session { _ = backupfs_backing_close(session, backing.id) }
    }

    var report: StatusReport.Passthrough {
        values.withLock { values in
            switch values.state {
            case .wanted: .init(state: .off, reason: "the kernel was not asked yet", files: 0)
            case .on: .init(state: .on, reason: nil, files: values.files)
            case .off(let reason): .init(state: .off, reason: reason, files: values.files)
            }
        }
    }
}
