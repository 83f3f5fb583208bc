// Paths that somebody else had a hand in: a key, a name from a catalogue, a link that was put there. They are opened with
// openat2(2), so that none of them leads out of the directory they are meant to be in.

import CLinux
import Glibc

extension Descriptor {
    /// How often the kernel may be unsure, because of a rename elsewhere, before that is the answer.
    private static let attempts = 1000

    /// Opens what lies at `path` below this directory; no component may be a symbolic link, and none may lead out of it.
    package func openBeneath(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        try openBeneath(Array(path.utf8), flags, mode: mode)
    }

    /// The same for a path in bytes, without NUL.
    package func openBeneath(_ path: [UInt8], _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        let text = path.map { CChar(bitPattern: $0) } + [0]
        var unsure = 0
        while true {
            let opened = backupfs_open_beneath(number, text, flags, mode)
            if opened >= 0 { return Descriptor(opened) }
            if errno == EAGAIN { unsure += 1 }
            guard errno == EINTR || errno == EAGAIN && unsure < Self.attempts else { throw SystemError("open") }
        }
    }
}
