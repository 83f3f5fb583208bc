import Glibc
import Linux

/// What a process does with itself before it touches a secret.
enum ProcessHardening {
    /// No core dumps, and nobody without privileges may look into its memory.
    static func hideSecrets() throws(SystemError) {
        try ProcessLimits.hideMemory()
    }

    /// For a daemon: no secret leaves it, as many descriptors as the system gives, and no death by a closed pipe.
    static func apply() throws(SystemError) {
        try hideSecrets()
        try ProcessLimits.raiseDescriptors()
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
    }
}
