// One mount, from mount(2) to umount(2).

import CFuse
import Dispatch
import FileSystemCore
import Foundation
import Glibc
import Linux
import Logging
import Synchronization

/// Why there is no mount.
package struct FuseMountError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One plain line.
    package var description: String
}

/// A file system under a mount point.
///
/// `@unchecked`: `serve` runs once; `stop`, from any thread, only sets a flag of libfuse's session, and `isGone` keeps it
/// from a session that `serve` has destroyed.
package final class FuseMount: @unchecked Sendable {
    private let session: OpaquePointer
    private let operations: UnsafeMutablePointer<fuse_lowlevel_ops>
    private let server: FuseServer
    private let notifications: KernelNotifications
    private let mountPoint: String
    private let maximumThreads: Int
    private let logger: Logger
    private let isMounted = Mutex(true)
    private let isGone = Mutex(false)

    /// Mounts at the absolute path `mountPoint`; nothing is answered before `serve`.
    ///
    /// `options` are names and `name=value` pairs of mount.fuse3(8). `default_permissions`, `nosuid` and `nodev` hold
    /// unless `suid` or `dev` is among them.
    package init(
        fileSystem: BackupFileSystem, mountPoint: String, source: String, options: [String], maximumThreads: Int,
        passesThrough: Bool = true, logger: Logger
    ) throws(FuseMountError) {
        let passthrough = Passthrough(
            obstacle: passesThrough ? Passthrough.obstacle(fileSystem) : "switched off by -o nopassthrough",
            logger: logger)
        let server = FuseServer(fileSystem, passthrough)
        let operations = UnsafeMutablePointer<fuse_lowlevel_ops>.allocate(capacity: 1)
        operations.initialize(to: Operations.table)
        var all = ["fsname=\(Self.escaped(source))", "subtype=backupfs", "default_permissions"]
        if !options.contains("suid") { all.append("nosuid") }
        if !options.contains("dev") { all.append("nodev") }
        all += options.filter { !all.contains($0) }
        backupfs_keep_messages()
        let session = Self.withArguments(["backupfs", "-o", all.joined(separator: ",")]) { arguments in
            backupfs_session_new(arguments, operations, Unmanaged.passUnretained(server).toOpaque())
        }
        guard let session else {
            operations.deallocate()
            throw FuseMountError(description: "the mount options are not usable: \(Self.lastMessage())")
        }
        guard fuse_session_mount(session, mountPoint) == 0 else {
            fuse_session_destroy(session)
            operations.deallocate()
            throw FuseMountError(description: "cannot mount at \(mountPoint): \(Self.lastMessage())")
        }
        passthrough.begin(session)
        fileSystem.passThrough(by: passthrough)
        self.session = session
        self.operations = operations
        self.server = server
        self.mountPoint = mountPoint
        self.maximumThreads = maximumThreads
        self.logger = logger
        fileSystem.mounted(at: mountPoint)
        notifications = KernelNotifications(SessionPointer(raw: session))
        server.notifications = notifications
        fileSystem.whenContentChanges { [notifications] id in notifications.invalidate(id) }
    }

    /// How often it looks whether waiting for the last answers is of any use, in seconds.
    private static let look = 1.0

    /// Answers requests until the file system is unmounted or `stop` is called; unmounted when it returns.
    ///
    /// `patience` bounds the wait for answers that are still under way then; `isHopeless` ends it when none will come soon.
    package func serve(patience: Duration, isHopeless: () -> Bool = { false }) {
        let configuration = fuse_loop_cfg_create()
        fuse_loop_cfg_set_max_threads(configuration, UInt32(maximumThreads))
        fuse_loop_cfg_set_idle_threads(configuration, UInt32(maximumThreads))
        let result = backupfs_session_loop_mt(session, configuration)
        fuse_loop_cfg_destroy(configuration)
        if result < 0 { logger.error("the loop of requests ended", metadata: ["error": "\(errnoText(-result))"]) }
        // Whoever waits in close gets an answer if it comes in time.
        let deadline = ContinuousClock.now + patience
        var isQuiet = false
        repeat {
            isQuiet = server.replies.wait(timeout: .now() + Self.look) == .success
        } while !isQuiet && .now < deadline && !isHopeless()
        if !isQuiet { logger.warning("some programs were still waiting: their calls fail") }
        notifications.stop()
        unmount()
        // A late answer, or a notification that is stuck in the kernel, would use a session that is gone: the process
        // ends soon, and the session with it.
        guard isQuiet, notifications.isQuiet(patience: .seconds(1)) else { return }
        isGone.withLock { $0 = true }
        fuse_session_destroy(session)
        operations.deallocate()
    }

    /// Makes `serve` return; safe from any thread.
    package func stop() {
        let mustWake = isGone.withLock { isGone in
            if !isGone { fuse_session_exit(session) }
            return !isGone
        }
        guard mustWake else { return }
        // libfuse's threads look at the flag when a request comes: this is one, and the kernel never answers it itself.
        // On a thread that nobody else needs: it may wait for as long as the session does not answer.
        let thread = Thread { [mountPoint] in
            var statistics = statvfs()
            statvfs(mountPoint, &statistics)
        }
        thread.name = "wake"
        thread.stackSize = 1 << 18
        thread.start()
    }

    /// Takes the mount away, now or when nobody uses it any more.
    package func unmount() {
        let mustUnmount = isMounted.withLock { isMounted in
            defer { isMounted = false }
            return isMounted
        }
        guard mustUnmount else { return }
        server.passthrough.end()
        fuse_session_unmount(session)
        server.fileSystem.mounted(at: nil)
    }

    /// A value of a mount option: commas and backslashes would end it.
    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing(",", with: "\\,")
    }

    private static func lastMessage() -> String {
        let text = String(cString: backupfs_last_message())
        let line = text.split(separator: "\n").first.map(String.init) ?? ""
        return line.hasPrefix("fuse: ") ? String(line.dropFirst("fuse: ".count)) : line.isEmpty ? "see above" : line
    }

    private static func withArguments<Value>(
        _ arguments: [String], _ body: (UnsafeMutablePointer<fuse_args>) -> Value
    ) -> Value {
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            var list = fuse_args(argc: Int32(buffer.count), argv: buffer.baseAddress, allocated: 0)
            defer { fuse_opt_free_args(&list) }
            return body(&list)
        }
    }
}
