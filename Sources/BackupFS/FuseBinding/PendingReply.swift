// A request that is answered later. A program that is killed while it waits is let go at once (promise of close: the
// upload goes on); any other signal leaves it waiting, since runtimes interrupt system calls for reasons of their own.

import CFuse
import FileSystemCore
import Foundation
import Synchronization

/// Answers one request, exactly once, from whichever thread comes first.
final class PendingReply: Sendable {
    private let request: Request
    private let server: FuseServer
    private let caller: Int32
    private let isAnswered = Mutex(false)

    /// Listens for interrupts from now on.
    init(_ request: Request, _ server: FuseServer) {
        self.request = request
        self.server = server
        caller = request.caller.pid
        server.replies.enter()
        fuse_req_interrupt_func(
            request.raw,
            { _, data in
                guard let data else { return }
                let reply = Unmanaged<PendingReply>.fromOpaque(data).takeUnretainedValue()
                // Not here: libfuse holds the request's lock.
                DispatchQueue.global().async { reply.releaseIfKilled() }
            }, Unmanaged.passRetained(self).toOpaque())
    }

    /// Sends the answer unless one was sent.
    func send(_ reply: Reply) {
        let isFirst = isAnswered.withLock { isAnswered in
            defer { isAnswered = true }
            return !isAnswered
        }
        guard isFirst else { return server.discard(reply) }
        // Waits for an interrupt callback that is running; none comes afterwards.
        fuse_req_interrupt_func(request.raw, nil, nil)
        request.send(reply, by: server)
        server.replies.leave()
        Unmanaged.passUnretained(self).release()
    }

    /// The kernel interrupts a request once, and the signal that kills may come after another one: so it is looked for
    /// until the answer is sent.
    private func releaseIfKilled() {
        if Self.isBeingKilled(caller) { return send(.failure(errno: EINTR)) }
        guard !isAnswered.withLock({ $0 }) else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.5) { self.releaseIfKilled() }
    }

    /// Whether SIGKILL waits for the thread (proc(5): SigPnd and ShdPnd of its status, hexadecimal masks).
    private static func isBeingKilled(_ thread: Int32) -> Bool {
        // Of another process namespace: nothing can be known of it.
        guard thread > 0 else { return false }
        guard let text = try? String(contentsOfFile: "/proc/\(thread)/status", encoding: .utf8) else { return true }
        let kill = UInt64(1) << (SIGKILL - 1)
        return text.split(separator: "\n").contains { line in
            guard line.hasPrefix("SigPnd:") || line.hasPrefix("ShdPnd:") else { return false }
            let mask = line.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
            return UInt64(mask, radix: 16).map { $0 & kill != 0 } ?? false
        }
    }
}
