import FileSystemCore
import Glibc

/// A system call that failed.
struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call, like `connect`.
    var call: String
    /// The errno it left.
    var code: Int32

    /// The error that errno holds now.
    init(_ call: String) {
        self.init(call, errno)
    }

    init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }

    /// The errno in words, like `No such file or directory`.
    var reason: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "errno \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    var description: String { "\(call): \(reason)" }
}

extension Descriptor {
    /// Takes over an open descriptor; throws what errno holds if the call that should have opened it failed.
    convenience init(taking number: Int32, from call: String) throws(SystemError) {
        guard number >= 0 else { throw SystemError(call) }
        self.init(number)
    }
}
