// How a failed system call is told, to the rooms above and to people.

import Glibc

/// A system call that failed.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call, like `connect`.
    package var call: String
    /// The errno it left.
    package var code: Int32

    /// The error that errno holds now.
    package init(_ call: String) {
        self.init(call, errno)
    }

    /// The error with a code of its own.
    package init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }

    /// The errno in words, like `No such file or directory`.
    package var reason: String { errnoText(code) }

    package var description: String { "\(call): \(reason)" }
}

/// The C library's words for an errno.
package func errnoText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "errno \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
