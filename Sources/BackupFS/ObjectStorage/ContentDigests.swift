// One pass over a file gives both checksums that an upload needs: SHA-256 for the row and the signature, MD5 for
// Content-MD5, which every S3 server seen so far enforces.

import COpenSSL
import Glibc

/// The checksums of one content.
package struct ContentDigests: Sendable, Equatable {
    /// SHA-256, 32 bytes.
    package var sha256: [UInt8]
    /// MD5, 16 bytes: S3's transport checksum, not a proof against forgery.
    package var md5: [UInt8]

    /// The digests of bytes in memory.
    package init(of bytes: [UInt8]) {
        let digester = ContentDigester()
        bytes.withUnsafeBytes { digester.update($0) }
        self = digester.finish()
    }

    fileprivate init(sha256: [UInt8], md5: [UInt8]) {
        self.sha256 = sha256
        self.md5 = md5
    }

    /// The digests of the first `length` bytes of an open file (pread; the file offset does not move).
    ///
    /// Throws `.localFile` when reading fails, with EIO if the file is shorter than `length`.
    package init(ofFile descriptor: Int32, length: Int64) throws(ObjectStoreError) {
        let digester = ContentDigester()
        let chunk = 256 * 1024
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < length {
            let count = pread(descriptor, buffer.baseAddress, min(chunk, Int(length - offset)), off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .localFile(errno: count == 0 ? EIO : errno) }
            digester.update(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
            offset += Int64(count)
        }
        self = digester.finish()
    }

    /// SHA-256 in lower-case hexadecimal.
    package var sha256Hex: String { hexadecimal(sha256) }
}

/// Computes SHA-256 and MD5 of one stream of bytes.
///
/// Used by one thread at a time.
package final class ContentDigester {
    private let sha256 = EVP_MD_CTX_new()
    private let md5 = EVP_MD_CTX_new()

    package init() {
        EVP_DigestInit_ex(sha256, EVP_sha256(), nil)
        EVP_DigestInit_ex(md5, EVP_md5(), nil)
    }

    deinit {
        EVP_MD_CTX_free(sha256)
        EVP_MD_CTX_free(md5)
    }

    /// Adds the next bytes of the stream.
    package func update(_ bytes: UnsafeRawBufferPointer) {
        EVP_DigestUpdate(sha256, bytes.baseAddress, bytes.count)
        EVP_DigestUpdate(md5, bytes.baseAddress, bytes.count)
    }

    /// The digests of all bytes so far; call once, last.
    package func finish() -> ContentDigests {
        var sha = [UInt8](repeating: 0, count: 32)
        var md = [UInt8](repeating: 0, count: 16)
        EVP_DigestFinal_ex(sha256, &sha, nil)
        EVP_DigestFinal_ex(md5, &md, nil)
        return ContentDigests(sha256: sha, md5: md)
    }
}

/// Bytes as lower-case hexadecimal digits.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
