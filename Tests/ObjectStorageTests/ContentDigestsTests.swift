import Testing

@testable import ObjectStorage

@Suite("Digests")
struct ContentDigestsTests {
    @Test("SHA-256 and MD5 are those of the standards (FIPS 180-4, RFC 1321)")
    func knownAnswers() {
        let digests = ContentDigests(of: Array("abc".utf8))
        #expect(digests.sha256Hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hexadecimal(digests.md5) == "900150983cd24fb0d6963f7d28e17f72")
    }
}
