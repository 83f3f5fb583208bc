// Reading a file once for several checksums. MD5 takes three times as long as SHA-256 on processors that have
// instructions for the latter, so for large files the two are computed side by side, while the next piece is read.

import COpenSSL
import Dispatch
import Glibc

/// One reading of a stretch of a file.
struct DigestPass {
    /// Bytes read at a time.
    private static let piece: Int64 = 1 << 20
    /// From how many bytes on more than one thread is worth it.
    private static let parallelLength: Int64 = 4 << 20

    private let file: LocalFile
    private let end: Int64
    private let plan: DigestPlan
    private let isParallel: Bool
    private let start: Int64

    private let content = MessageDigest.sha256()
    private let partSHA256 = MessageDigest.sha256()
    private let md5 = MessageDigest.md5()
    private var parts: [BodyDigests] = []

    init(_ file: LocalFile, offset: Int64, length: Int64, _ plan: DigestPlan) {
        self.file = file
        self.plan = plan
        start = offset
        end = offset + length
        isParallel = length >= Self.parallelLength
    }

    /// Throws `.localFile`, with EIO if the file is too short.
    mutating func run() throws(ObjectStoreError) -> ContentDigests {
        let size = Int(min(Self.piece, max(1, end - start)))
        let buffers = (0..<2).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096) }
        defer { for buffer in buffers { buffer.deallocate() } }
        var offset = start
        var current = 0
        var filled = try read(at: offset, into: buffers[current]).get()
        while filled > 0 {
            let bytes = UnsafeRawBufferPointer(rebasing: buffers[current][..<filled])
            let next = offset + Int64(filled)
            let following = digest(bytes, andRead: buffers[1 - current], at: next)
            if isEndOfPart(next) { finishPart() }
            filled = try following.get()
            offset = next
            current = 1 - current
        }
        return ContentDigests(sha256: content.finish(), transport())
    }

    /// Digests one piece and reads the next one, both at the same time for large files; returns what `read` does.
    private func digest(
        _ bytes: UnsafeRawBufferPointer, andRead buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) -> Result<Int, ObjectStoreError> {
        guard isParallel else {
            updateMD5(bytes)
            updateSHA256(bytes)
            return read(at: offset, into: buffer)
        }
        var next: Result<Int, ObjectStoreError> = .success(0)
        withUnsafeMutablePointer(to: &next) { next in
            // Each turn touches state of its own: the MD5, the two SHA-256, the other buffer and its count. The call
            // returns when all have ended.
            nonisolated(unsafe) let (next, pass, bytes, buffer) = (next, self, bytes, buffer)
            DispatchQueue.concurrentPerform(iterations: 3) { turn in
                switch turn {
                case 0: pass.updateMD5(bytes)
                case 1: pass.updateSHA256(bytes)
                default: next.pointee = pass.read(at: offset, into: buffer)
                }
            }
        }
        return next
    }

    private func updateMD5(_ bytes: UnsafeRawBufferPointer) {
        if plan != .content { md5.update(bytes) }
    }

    private func updateSHA256(_ bytes: UnsafeRawBufferPointer) {
        content.update(bytes)
        if case .parts = plan { partSHA256.update(bytes) }
    }

    /// Reads up to the end of the part; returns the bytes read, 0 at the end.
    private func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, ObjectStoreError> {
        var wanted = min(Int64(buffer.count), end - offset)
        if case .parts(let size) = plan { wanted = min(wanted, size - (offset - start) % size) }
        return Result { () throws(ObjectStoreError) in
            let count = try file.read(at: offset, into: .init(rebasing: buffer[..<Int(wanted)]))
            guard count == Int(wanted) else { throw .localFile(errno: EIO) }
            return count
        }
    }

    private func isEndOfPart(_ offset: Int64) -> Bool {
        guard case .parts(let size) = plan else { return false }
        return offset == end || (offset - start) % size == 0
    }

    private mutating func finishPart() {
        parts.append(BodyDigests(sha256: partSHA256.finish(), md5: md5.finish()))
    }

    private func transport() -> ContentDigests.Transport {
        switch plan {
        case .content: .none
        case .whole: .whole(md5: md5.finish())
        case .parts(let size): .parts(parts, size: size)
        }
    }
}

/// One of OpenSSL's message digests over a stream of bytes; used by one thread at a time.
final class MessageDigest {
    private let context = EVP_MD_CTX_new()
    private let kind: OpaquePointer?

    static func sha256() -> MessageDigest { MessageDigest(EVP_sha256()) }
    static func md5() -> MessageDigest { MessageDigest(EVP_md5()) }

    private init(_ kind: OpaquePointer?) {
        self.kind = kind
        EVP_DigestInit_ex(context, kind, nil)
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest of all bytes so far; the next stream starts.
    func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &count)
        EVP_DigestInit_ex(context, kind, nil)
        return Array(digest.prefix(Int(count)))
    }
}
