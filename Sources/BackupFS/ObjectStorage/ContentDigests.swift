// One pass over a file gives all checksums that an upload needs: SHA-256 for the row, and for each request that carries
// some of the bytes an MD5 for Content-MD5 and the ETag, and a SHA-256 for the signature. They are all of the very same
// bytes: a store that has proven its parts has proven the whole.

import Linux

/// The checksums of the bytes that one request carries.
package struct BodyDigests: Sendable, Equatable {
    /// SHA-256, 32 bytes.
    package var sha256: [UInt8]
    /// MD5, 16 bytes: S3's transport checksum, not a proof against forgery.
    package var md5: [UInt8]

    /// The digests of bytes in memory.
    package init(of bytes: [UInt8]) {
        let digester = BodyDigester()
        bytes.withUnsafeBytes { digester.update($0) }
        self = digester.finish()
    }

    init(sha256: [UInt8], md5: [UInt8]) {
        self.sha256 = sha256
        self.md5 = md5
    }

    /// SHA-256 in lower-case hexadecimal.
    var sha256Hex: String { hexadecimal(sha256) }
}

/// Which checksums of a content somebody needs.
package enum DigestPlan: Sendable, Equatable {
    /// SHA-256 of the whole.
    case content
    /// And its MD5: it is sent in one request.
    case whole
    /// And both of each part of `size` bytes; the last part is shorter.
    case parts(size: Int64)
}

/// The checksums of one content.
package struct ContentDigests: Sendable, Equatable {
    /// What requests that carry the content need.
    package enum Transport: Sendable, Equatable {
        case none
        case whole(md5: [UInt8])
        case parts([BodyDigests], size: Int64)
    }

    /// SHA-256 of the whole, 32 bytes.
    package let sha256: [UInt8]
    package let transport: Transport

    /// The digests of bytes in memory that are sent in one request.
    package init(of bytes: [UInt8]) {
        self.init(BodyDigests(of: bytes))
    }

    package init(_ digests: BodyDigests) {
        sha256 = digests.sha256
        transport = .whole(md5: digests.md5)
    }

    /// Those of a content that was sent already.
    package init(sha256: [UInt8]) { self.init(sha256: sha256, .none) }

    init(sha256: [UInt8], _ transport: Transport) {
        self.sha256 = sha256
        self.transport = transport
    }

    /// The digests of the first `length` bytes of an open file (pread; the file offset does not move).
    ///
    /// Throws `.localFile` when reading fails, with EIO if the file is shorter than `length`.
    package init(
        ofFile descriptor: Int32, length: Int64, _ plan: DigestPlan = .whole
    ) throws(ObjectStoreError) {
        self = try DigestPass(ofFile: descriptor, length: length, plan).run()
    }

    /// SHA-256 in lower-case hexadecimal.
    package var sha256Hex: String { hexadecimal(sha256) }

    /// What one request with the whole content needs; nil if the MD5 was not asked for.
    var whole: BodyDigests? {
        guard case .whole(let md5) = transport else { return nil }
        return BodyDigests(sha256: sha256, md5: md5)
    }

    /// Whether both are of the same content, whatever else they hold.
    package func isSameContent(as other: ContentDigests) -> Bool { sha256 == other.sha256 }
}

extension BodyDigests {
    /// The digests of `length` bytes of an open file from `offset` on.
    ///
    /// Throws `.localFile`, with EIO if the file is shorter.
    init(ofFile descriptor: Int32, offset: Int64, length: Int64) throws(ObjectStoreError) {
        self =
            try DigestPass(LocalFile(descriptor), offset: offset, length: length, .whole).run().whole
            ?? BodyDigests(sha256: [], md5: [])
    }
}

/// Computes SHA-256 and MD5 of one stream of bytes.
///
/// Used by one thread at a time.
package final class BodyDigester {
    private let sha256 = MessageDigest.sha256()
    private let md5 = MessageDigest.md5()

    package init() {}

    /// Adds the next bytes of the stream.
    package func update(_ bytes: UnsafeRawBufferPointer) {
        sha256.update(bytes)
        md5.update(bytes)
    }

    /// The digests of all bytes so far; the next stream starts.
    package func finish() -> BodyDigests {
        BodyDigests(sha256: sha256.finish(), md5: md5.finish())
    }
}
