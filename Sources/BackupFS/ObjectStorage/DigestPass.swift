// Reading a file once for several checksums. MD5 takes three times as long as SHA-256 on processors that have
// instructions for the latter, so for large files the two are computed side by side, while the next piece is read. A pass
// can stop anywhere and go on later: a file of a terabyte must not keep a thread from all others.

import COpenSSL
import Dispatch
import Glibc

/// One reading of a stretch of a file; used by one thread at a time.
package final class DigestPass {
    /// Bytes read at a time.
    private static let piece: Int64 = 1 << 20
    /// From how many bytes on more than one thread is worth it, and a look for holes.
    private static let parallelLength: Int64 = 4 << 20

    private let file: LocalFile
    private let end: Int64
    private let plan: DigestPlan
    private let isParallel: Bool
    private let start: Int64

    /// Of all bytes of the pass, and of those that came before it if it goes on.
    private let content: MessageDigest
    private let partSHA256 = MessageDigest.sha256()
    private let md5 = MessageDigest.md5()
    private var parts: [BodyDigests] = []

    private let buffers: [UnsafeMutableRawBufferPointer]
    /// The buffer that holds the bytes at `offset`, and how many; nil before the first read.
    private var current = 0
    private var filled: Int?
    private var offset: Int64
    private var holes = HoleFinder()

    /// A pass over `length` bytes of an open file from `offset` on; the caller keeps the descriptor open.
    package convenience init(ofFile descriptor: Int32, length: Int64, _ plan: DigestPlan) {
        self.init(LocalFile(descriptor), offset: 0, length: length, plan)
    }

    /// `content`: where the SHA-256 of the content goes on.
    init(
        _ file: LocalFile, offset: Int64, length: Int64, _ plan: DigestPlan,
        content: MessageDigest = .sha256()
    ) {
        self.file = file
        self.content = content
        self.plan = plan
        self.offset = offset
        start = offset
        end = offset + length
        isParallel = length >= Self.parallelLength
        let size = Int(min(Self.piece, max(1, length)))
        buffers = (0..<2).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096) }
    }

    deinit { for buffer in buffers { buffer.deallocate() } }

    /// Throws `.localFile`, with EIO if the file is too short.
    func run() throws(ObjectStoreError) -> ContentDigests {
        while true {
            if let digests = try advance(bytes: .max) { return digests }
        }
    }

    /// Goes on for about `bytes`; the digests if that was the rest, nil if there is more.
    ///
    /// Throws `.localFile`, with EIO if the file is too short.
    package func advance(bytes: Int64) throws(ObjectStoreError) -> ContentDigests? {
        var done: Int64 = 0
        var filled = if let known = self.filled { known } else { try read(at: offset, into: buffers[current]).get() }
        while filled > 0 {
            guard done < bytes else {
                self.filled = filled
                return nil
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffers[current][..<filled])
            let next = offset + Int64(filled)
            let following = digest(bytes, andRead: buffers[1 - current], at: next)
            if isEndOfPart(next) { finishPart() }
            done += Int64(filled)
            filled = try following.get()
            offset = next
            current = 1 - current
        }
        return ContentDigests(sha256: content.copy().finish(), transport())
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
            // Each turn touches state of its own: the MD5, the two SHA-256, the other buffer with its count and the holes.
            // The call returns when all have ended.
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
    ///
    /// Holes are not read: they are zeros.
    private func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Result<Int, ObjectStoreError> {
        var wanted = min(Int64(buffer.count), end - offset)
        if case .parts(let size) = plan { wanted = min(wanted, size - (offset - start) % size) }
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)])
        if isParallel, wanted > 0, holes.isHole(file.descriptor, from: offset, through: offset + wanted) {
            piece.initializeMemory(as: UInt8.self, repeating: 0)
            return .success(piece.count)
        }
        return Result { () throws(ObjectStoreError) in
            let count = try file.read(at: offset, into: piece)
            guard count == Int(wanted) else { throw .localFile(errno: EIO) }
            return count
        }
    }

    private func isEndOfPart(_ offset: Int64) -> Bool {
        guard case .parts(let size) = plan else { return false }
        return offset == end || (offset - start) % size == 0
    }

    private func finishPart() {
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

/// Where a file has no bytes: two system calls for each stretch of data.
private struct HoleFinder {
    /// The last hole that was found.
    private var hole: Range<Int64> = 0..<0
    /// The stretch of data before it.
    private var data: Range<Int64> = 0..<0

    /// Whether there is nothing but a hole between two offsets; false if that cannot be told.
    mutating func isHole(_ descriptor: Int32, from start: Int64, through end: Int64) -> Bool {
        if !hole.contains(start), !data.contains(start) { look(descriptor, from: start) }
        return hole.contains(start) && end <= hole.upperBound
    }

    private mutating func look(_ descriptor: Int32, from start: Int64) {
        // SEEK_DATA and SEEK_HOLE of <unistd.h>. The offset that they move is used by nobody.
        let (seekData, seekHole): (Int32, Int32) = (3, 4)
        let next = lseek(descriptor, off_t(start), seekData)
        if next < 0 {
            // Nothing but a hole up to the end, or nobody knows.
            hole = errno == ENXIO ? start..<max(start, Int64(lseek(descriptor, 0, Int32(SEEK_END)))) : 0..<0
            data = errno == ENXIO ? 0..<0 : start..<Int64.max
        } else if Int64(next) > start {
            hole = start..<Int64(next)
            data = 0..<0
        } else {
            hole = 0..<0
            let end = lseek(descriptor, off_t(start), seekHole)
            data = start..<max(start + 1, Int64(end))
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

    /// Another one of the same bytes so far.
    func copy() -> MessageDigest {
        let copy = MessageDigest(kind)
        EVP_MD_CTX_copy_ex(copy.context, context)
        return copy
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
