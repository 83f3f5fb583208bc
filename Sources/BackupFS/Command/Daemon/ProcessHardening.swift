import CLinux
import Glibc
import Linux

/// What a process does with itself before it touches a secret.
enum ProcessHardening {
    /// No core dumps, and nobody without privileges may look into its memory.
    static func hideSecrets() throws(SystemError) {
        guard backupfs_disable_core_dumps() == 0 else { throw SystemError("setrlimit") }
        guard backupfs_set_dumpable(0) == 0 else { throw SystemError("prctl") }
    }

    /// For a daemon: no secret leaves it, as many descriptors as the system gives, and no death by a closed pipe.
    static func apply() throws(SystemError) {
        try hideSecrets()
        guard backupfs_raise_descriptor_limit() == 0 else { throw SystemError("setrlimit") }
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
    }
}
