// Programs that are started: posix_spawn(3), never fork(2), since a fork of a process with threads may only exec.

import CLinux
import Glibc

/// A program that was started and not waited for yet.
package struct ChildProcess: Sendable {
    /// Which program a child runs.
    package enum Program: Sendable {
        /// The one that PATH leads to.
        case named(String)
        /// The file at this path.
        case file([UInt8])
    }

    /// Which files a child finds open.
    package enum Files: Sendable {
        /// All of ours that are not closed on exec.
        case ours
        /// Nothing at 0, 1 and 2, but for this descriptor at that number, at most 3.
        case only(Descriptor, at: Int32)
    }

    /// What a child has in common with us.
    package enum Standing: Sendable {
        case ours
        /// A process group of its own, and the signals as a program expects them: a daemon blocks and ignores some.
        case ownGroup
        case ownSession
    }

    /// The process's number, which is also its group's if it has one of its own.
    package let number: pid_t

    /// Starts a program; `arguments` begin with its name.
    package static func start(
        _ program: Program, _ arguments: [[UInt8]], files: Files = .ours, standing: Standing = .ours
    ) throws(SystemError) -> ChildProcess {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        add(files, to: &actions)
        add(standing, to: &attributes)
        var pointers = arguments.map(copy) + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process = pid_t()
        let result: Int32
        switch program {
        case .named(let name): result = posix_spawnp(&process, name, &actions, &attributes, &pointers, Glibc.environ)
        case .file(let path):
            let text = path.map { CChar(bitPattern: $0) } + [0]
            result = posix_spawn(&process, text, &actions, &attributes, &pointers, Glibc.environ)
        }
        withExtendedLifetime(files) {}
        guard result == 0 else { throw SystemError("posix_spawn", result) }
        return ChildProcess(number: process)
    }

    private static func copy(_ word: [UInt8]) -> UnsafeMutablePointer<CChar>? {
        strdup(word.map { CChar(bitPattern: $0) } + [0])
    }

    private static func add(_ files: Files, to actions: inout posix_spawn_file_actions_t) {
        guard case .only(let passed, let target) = files else { return }
        // First to 3: opening the standard three might close it if it is one of them.
        posix_spawn_file_actions_adddup2(&actions, passed.number, 3)
        for standard in Int32(0)...2 { posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0) }
        if target < 3 { posix_spawn_file_actions_adddup2(&actions, 3, target) }
        backupfs_spawn_close_from(&actions, target < 3 ? 3 : 4)
    }

    private static func add(_ standing: Standing, to attributes: inout posix_spawnattr_t) {
        switch standing {
        case .ours: break
        case .ownSession: posix_spawnattr_setflags(&attributes, backupfs_spawn_new_session)
        case .ownGroup:
            var none = sigset_t()
            var all = sigset_t()
            sigemptyset(&none)
            sigfillset(&all)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setpgroup(&attributes, 0)
            posix_spawnattr_setflags(
                &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        }
    }

    /// Waits for its end: the exit status, or 128 and the number of the signal that ended it.
    package func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(number, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }

    /// Waits for its end as above; one with a group of its own is killed with all of it at the deadline: then nil.
    package func wait(until deadline: ContinuousClock.Instant) -> Int32? {
        let handle = try? Self.handle(of: number)
        let hasEnded = handle.flatMap { try? $0.waitUntilReadable(until: deadline) } ?? false
        if !hasEnded { killGroup() }
        let status = wait()
        return hasEnded ? status : nil
    }

    /// Kills one that has a group of its own, with everything that it has started.
    package func killGroup() { kill(-number, SIGKILL) }

    /// A descriptor that becomes readable when a process ends (pidfd_open(2)).
    package static func handle(of process: pid_t) throws(SystemError) -> Descriptor {
        try Descriptor(taking: backupfs_open_process(process), from: "pidfd_open")
    }
}

/// A pipe, closed on exec.
package func makePipe() throws(SystemError) -> (reader: Descriptor, writer: Descriptor) {
    var ends: [Int32] = [-1, -1]
    guard backupfs_pipe(&ends) == 0 else { throw SystemError("pipe2") }
    return (Descriptor(ends[0]), Descriptor(ends[1]))
}
