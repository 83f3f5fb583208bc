// One door for names. What the catalogue says is input like everything else on a disk: somebody may have changed it, and no
// name may lead out of the directory it is used in.

import Glibc

/// Whether the bytes can be the name of one entry of a directory.
func isFileName(_ name: [UInt8]) -> Bool {
    let dot = UInt8(ascii: ".")
    return !name.isEmpty && name != [dot] && name != [dot, dot] && !name.contains(0)
        && !name.contains(UInt8(ascii: "/"))
}

/// Hands the name of one entry of a directory to a system call; -1 and EINVAL for anything else.
func withName<Value: FixedWidthInteger & SignedInteger>(
    _ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Value
) -> Value {
    guard isFileName(name) else {
        errno = EINVAL
        return -1
    }
    return withText(name, body)
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
