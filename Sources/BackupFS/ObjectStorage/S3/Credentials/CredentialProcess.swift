// Runs the program of a credential_process: no shell, no input, its output read up to a limit, ended with everything it
// has started when the deadline comes. What it writes to standard error is not kept: it may hold secrets.

import CLinux
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
        var ends: [Int32] = [-1, -1]
        guard backupfs_pipe(&ends) == 0 else { throw .localFile(errno: errno) }
        let reader = Descriptor(ends[0])
        let process: pid_t
        do {
            let writer = Descriptor(ends[1])
            var child = pid_t()
            let result = spawn(words, writer.number, &child)
            guard result == 0 else {
                throw .noCredentials("\(source) cannot be run: \(errnoText(result))")
            }
            process = child
        }
        let bytes = read(reader.number, until: deadline)
        // Who prints without end is ended, not waited for.
        let isTooLong = (bytes?.count ?? 0) > longest
        let ending = wait(process, until: bytes == nil || isTooLong ? .now : deadline)
        guard !isTooLong else { throw .noCredentials("\(source) printed more than credentials") }
        guard let bytes, let ending else { throw .unreachable(reason: "\(source) did not end in time") }
        guard ending == 0 else { throw .noCredentials("\(source) failed with the status \(ending)") }
        return bytes
    }

    private static func spawn(_ words: [String], _ output: Int32, _ process: inout pid_t) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // Output first: opening the standard three might close it if it is one of them.
        posix_spawn_file_actions_adddup2(&actions, output, 3)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, 3, 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        backupfs_spawn_close_from(&actions, 3)
        // A group of its own, and the signals as a program expects them: the daemon blocks and ignores some.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var pointers = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return posix_spawnp(&process, words[0], &actions, &attributes, &pointers, Glibc.environ)
    }

    /// All that comes, up to one byte more than the limit; nil at the deadline.
    private static func read(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= longest {
            guard isReady(descriptor, until: deadline) else { return nil }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// The exit status, 128 and the signal's number if one ended it; nil if it had to be ended at the deadline.
    private static func wait(_ process: pid_t, until deadline: ContinuousClock.Instant) -> Int32? {
        let number = backupfs_open_process(process)
        let handle = number < 0 ? nil : Descriptor(number)
        let hasEnded = handle.map { isReady($0.number, until: deadline) } ?? false
        if !hasEnded { kill(-process, SIGKILL) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        guard hasEnded else { return nil }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }

    /// Waits until a descriptor can be read; false at the deadline.
    private static func isReady(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: deadline).milliseconds
            guard left > 0 else { return false }
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = Glibc.poll(&poll, 1, Int32(clamping: left))
            if count > 0 { return true }
            guard count == 0 || errno == EINTR else { return false }
        }
    }
}
