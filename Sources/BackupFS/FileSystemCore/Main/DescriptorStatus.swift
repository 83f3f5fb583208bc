// What a descriptor of main says, with this room's own error.

import Glibc
import Linux

extension Descriptor {
    /// What fstat(2) says.
    func status() throws(FileSystemError) -> stat {
        do throws(SystemError) { return try readStatus() } catch { throw .main(errno: error.code, during: error.call) }
    }
}
