// What a process may do, and what others may see of it.

import CLinux
import Glibc

/// The limits of this process.
package enum ProcessLimits {
    /// No core dumps, and nobody without privileges may look into its memory.
    package static func hideMemory() throws(SystemError) {
        guard backupfs_disable_core_dumps() == 0 else { throw SystemError("setrlimit") }
        guard backupfs_set_dumpable(0) == 0 else { throw SystemError("prctl") }
    }

    /// As many descriptors as the system gives.
    package static func raiseDescriptors() throws(SystemError) {
        guard backupfs_raise_descriptor_limit() == 0 else { throw SystemError("setrlimit") }
    }

    /// How many descriptors may be open at a time.
    package static var descriptors: UInt64 { backupfs_descriptor_limit() }
}
