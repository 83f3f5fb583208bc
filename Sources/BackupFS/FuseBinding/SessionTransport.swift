// The messages between libfuse and the kernel, as they pass. libfuse 3.14 does not know of passthrough: so the kernel's first
// message (INIT) is looked at, and its answer says what libfuse does not say. Offsets are those of <linux/fuse.h>.

import CFuse
import FileSystemCore
import Glibc

/// Reads and writes libfuse's messages for it.
enum SessionTransport {
    /// Takes over the messages of a session that is mounted; false if libfuse does not allow it.
    static func install(_ session: OpaquePointer, _ descriptor: Int32) -> Bool {
        var calls = fuse_custom_io()
        calls.read = { descriptor, buffer, length, userdata in
            let count = Glibc.read(descriptor, buffer, length)
            if count > 0, let buffer, let passthrough = passthroughOf(userdata), passthrough.isWanted {
                let code = errno
                passthrough.kernelOffers(
                    InitMessage.offersPassthrough(UnsafeRawBufferPointer(start: buffer, count: count)))
                errno = code
            }
            return count
        }
        calls.writev = { descriptor, vector, count, userdata in
            guard let vector, let passthrough = passthroughOf(userdata), passthrough.isWanted else {
                return Glibc.writev(descriptor, vector, count)
            }
            let parts = UnsafeBufferPointer(start: vector, count: Int(count))
            var message = parts.flatMap { Array(UnsafeRawBufferPointer(start: $0.iov_base, count: $0.iov_len)) }
            passthrough.kernelWasAsked(InitMessage.askForPassthrough(&message))
            return Glibc.write(descriptor, message, message.count)
        }
        calls.splice_receive = { source, sourceOffset, target, targetOffset, length, flags, _ in
            backupfs_splice(source, sourceOffset, target, targetOffset, length, flags)
        }
        calls.splice_send = { source, sourceOffset, target, targetOffset, length, flags, _ in
            backupfs_splice(source, sourceOffset, target, targetOffset, length, flags)
        }
        return backupfs_session_custom_io(session, &calls, descriptor) == 0
    }
}

/// The session's, by what libfuse hands to each call.
private func passthroughOf(_ userdata: UnsafeMutableRawPointer?) -> Passthrough? {
    userdata.map { Unmanaged<FuseServer>.fromOpaque($0).takeUnretainedValue().passthrough }
}

/// INIT, the first request of a session, and its answer.
enum InitMessage {
    private static let operation: UInt32 = 26
    /// FUSE_INIT_EXT: there is a second word of flags.
    private static let extended: UInt32 = 1 << 30
    /// FUSE_PASSTHROUGH, in the second word.
    private static let passthrough: UInt32 = 1 << (37 - 32)
    /// FUSE_WRITEBACK_CACHE, which excludes it.
    private static let writebackCache: UInt32 = 1 << 16
    /// struct fuse_out_header.
    private static let answerHeader = 16
    /// struct fuse_init_out of protocol 7.23 and later.
    private static let answerBody = 64

    /// Whether the kernel's request says that it can pass reads through (struct fuse_in_header and fuse_init_in).
    static func offersPassthrough(_ request: UnsafeRawBufferPointer) -> Bool {
        guard request.count >= 60, word(request, 4) == operation else { return false }
        return word(request, 52) & extended != 0 && word(request, 56) & passthrough != 0
    }

    /// Asks for it in libfuse's answer; false if that is none to ask in.
    static func askForPassthrough(_ answer: inout [UInt8]) -> Bool {
        guard answer.count >= answerHeader + answerBody else { return false }
        return answer.withUnsafeMutableBytes { bytes in
            let all = UnsafeRawBufferPointer(bytes)
            let flags = word(all, answerHeader + 12)
            guard word(all, 4) == 0, flags & writebackCache == 0 else { return false }
            bytes.storeBytes(of: flags | extended, toByteOffset: answerHeader + 12, as: UInt32.self)
            let more = word(all, answerHeader + 32)
            bytes.storeBytes(of: more | passthrough, toByteOffset: answerHeader + 32, as: UInt32.self)
            // Main's files must not lie on a stacked file system themselves.
            bytes.storeBytes(of: 1, toByteOffset: answerHeader + 36, as: UInt32.self)
            return true
        }
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }
}

/// The answer to OPEN with a backing file (struct fuse_open_out).
struct OpenReply {
    /// FOPEN_DIRECT_IO.
    private static let direct: UInt32 = 1 << 0
    /// FOPEN_PASSTHROUGH.
    private static let passthrough: UInt32 = 1 << 7

    private var handle: UInt64
    private var flags: UInt32
    private var backing: Int32

    init(_ handle: UInt64, _ mode: OpenMode) {
        self.handle = handle
        flags =
            switch mode {
            case .cached: 0
            case .passthrough: Self.passthrough
            case .direct: Self.passthrough | Self.direct
            }
        backing = mode.backing?.id ?? 0
    }

    /// Sends it; what libfuse returns.
    func send(_ request: fuse_req_t) -> Int32 {
        withUnsafeBytes(of: self) { bytes in
            fuse_reply_buf(request, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }
}
