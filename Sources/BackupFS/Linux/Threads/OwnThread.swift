// A thread that blocks as long as it likes.

import Glibc

/// Runs `body` on a thread of its own, for calls that block; throws if the system has no thread to give.
package func startThread(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let passed = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let result = pthread_create(&thread, nil, runThreadBody, passed.toOpaque())
    guard result == 0 else {
        passed.release()
        throw SystemError("pthread_create", result)
    }
    pthread_detach(thread)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private func runThreadBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
