// What is in a directory.

import Glibc

extension Descriptor {
    /// The names in this directory, unsorted, without `.` and `..`.
    package func names() throws(SystemError) -> [[UInt8]] {
        // A stream takes its descriptor over and moves its offset: it gets one of its own.
        let number = openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open") }
        guard let stream = fdopendir(number) else {
            let failure = SystemError("fdopendir")
            close(number)
            throw failure
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError("readdir") }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [UInt8(ascii: ".")], name != Array("..".utf8) { names.append(name) }
        }
    }
}
