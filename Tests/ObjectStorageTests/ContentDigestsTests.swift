import Linux
import Testing

@testable import ObjectStorage

@Suite("Digests")
struct ContentDigestsTests {
    @Test("SHA-256 and MD5 are those of the standards (FIPS 180-4, RFC 1321)")
    func knownAnswers() {
        let digests = BodyDigests(of: Array("abc".utf8))
        #expect(digests.sha256Hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hexadecimal(digests.md5) == "900150983cd24fb0d6963f7d28e17f72")
    }
}

@Suite("Digests of files")
struct FileDigestTests {
    @Test(
        "One pass gives what each plan asks for, for small files and for large ones, which are read side by side",
        arguments: [0, 1, 1_000_000, (5 << 20), (11 << 20) + 17])
    func plans(size: Int) throws {
        let bytes = largeBytes(size)
        let file = try TemporaryFile(bytes)
        func digests(_ plan: DigestPlan) throws -> ContentDigests {
            try ContentDigests(ofFile: file.descriptor, length: Int64(size), plan)
        }
        #expect(try digests(.whole) == ContentDigests(of: bytes))
        #expect(try digests(.content) == ContentDigests(sha256: BodyDigests(of: bytes).sha256, .none))
        let partSize = 3 << 20
        let parts = stride(from: 0, to: size, by: partSize).map { start in
            BodyDigests(of: Array(bytes[start..<min(size, start + partSize)]))
        }
        #expect(
            try digests(.parts(size: Int64(partSize)))
                == ContentDigests(sha256: BodyDigests(of: bytes).sha256, .parts(parts, size: Int64(partSize))))
    }

    @Test("A file that is shorter than it was said to be is an error", arguments: [10, 9 << 20])
    func short(size: Int) throws {
        let file = try TemporaryFile(largeBytes(size - 1))
        for plan in [DigestPlan.whole, .content, .parts(size: 5 << 20)] {
            #expect(throws: ObjectStoreError.localFile(errno: 5)) {
                try ContentDigests(ofFile: file.descriptor, length: Int64(size), plan)
            }
        }
    }
}
