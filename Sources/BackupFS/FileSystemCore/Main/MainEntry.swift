// One door for names. What the catalogue says is input like everything else on a disk: somebody may have changed it, and no
// name may lead out of the directory it is used in.

import Glibc
import Linux

/// A place in main: an open directory, and the name of one entry of it, which need not exist.
struct MainEntry: Sendable {
    let directory: Descriptor
    /// One plain component: not empty, not `.` or `..`, without `/` and NUL.
    let name: [UInt8]

    /// Throws `.main(errno: EINVAL)` for a name that could lead elsewhere.
    init(_ directory: Descriptor, _ name: [UInt8]) throws(FileSystemError) {
        guard Self.isName(name) else { throw .main(errno: EINVAL, during: "using a name") }
        self.directory = directory
        self.name = name
    }

    /// Whether the bytes can be the name of one entry of a directory.
    static func isName(_ name: [UInt8]) -> Bool {
        let dot = UInt8(ascii: ".")
        return !name.isEmpty && name != [dot] && name != [dot, dot] && !name.contains(0)
            && !name.contains(UInt8(ascii: "/"))
    }

    /// Hands the directory's number and the name to a system call.
    func at<Value>(_ body: (Int32, UnsafePointer<CChar>) -> Value) -> Value {
        withText(name) { body(directory.number, $0) }
    }
}

/// Hands bytes without NUL to C as a string.
func withText<Value>(_ text: [UInt8], _ body: (UnsafePointer<CChar>) -> Value) -> Value {
    var characters = text.map { CChar(bitPattern: $0) }
    characters.append(0)
    return characters.withUnsafeBufferPointer { buffer in
        // The buffer holds at least the terminating NUL, so it has an address.
        buffer.baseAddress.map(body) ?? "".withCString(body)
    }
}
