// The vectors that AWS publishes: its Signature Version 4 test suite (get-vanilla and others), and the examples of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.

import Linux
import Testing

@testable import ObjectStorage

@Suite("Signature Version 4")
struct SignatureV4Tests {
    private static let suite = SignatureV4(
        credentials: S3Credentials(accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", service: "service")
    private static let s3 = SignatureV4(
        credentials: S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1")

    @Test(
        "AWS's test suite",
        arguments: [
            ("GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET", "/", "Param1=value1&Param2=value2",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
            ),
            ("GET", "/%E1%88%B4", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ])
    func vanilla(_ method: String, _ path: String, _ query: String, _ signature: String) {
        let value = Self.suite.authorization(
            method: method, path: path, query: query,
            headers: [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
            payload: SignatureV4.emptyPayload, at: .init("20150830T123600Z"))
        #expect(
            value == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, Signature=\(signature)")
    }

    @Test("Spaces in a header's value count as one")
    func spaces() {
        let value = Self.suite.authorization(
            method: "GET", path: "/", query: "",
            headers: [
                ("host", "example.amazonaws.com"), ("my-header1", " value1"), ("my-header2", " \"a   b   c\""),
                ("x-amz-date", "20150830T123600Z"),
            ], payload: SignatureV4.emptyPayload, at: .init("20150830T123600Z"))
        #expect(value.hasSuffix("Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"))
    }

    @Test("AWS's example of reading an object")
    func example() {
        let value = Self.s3.authorization(
            method: "GET", path: "/test.txt", query: "",
            headers: [
                ("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9"),
                ("x-amz-content-sha256", SignatureV4.emptyPayload), ("x-amz-date", "20130524T000000Z"),
            ], payload: SignatureV4.emptyPayload, at: .init("20130524T000000Z"))
        #expect(value.hasSuffix("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))
    }

    @Test("AWS's example of storing an object")
    func storing() {
        let payload = ContentDigests(of: Array("Welcome to Amazon S3.".utf8)).sha256Hex
        let value = Self.s3.authorization(
            method: "PUT", path: "/" + percentEncoded("test$file.text", keeping: "/"), query: "",
            headers: [
                ("date", "Fri, 24 May 2013 00:00:00 GMT"), ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", payload), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ], payload: payload, at: .init("20130524T000000Z"))
        #expect(value.hasSuffix("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
    }

    @Test("AWS's example of listing a bucket")
    func listing() {
        let value = Self.s3.authorization(
            method: "GET", path: "/", query: "max-keys=2&prefix=J",
            headers: [
                ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", SignatureV4.emptyPayload),
                ("x-amz-date", "20130524T000000Z"),
            ], payload: SignatureV4.emptyPayload, at: .init("20130524T000000Z"))
        #expect(value.hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test(
        "A moment is written in UTC",
        arguments: [
            (0, "19700101T000000Z"), (1_440_938_160, "20150830T123600Z"), (1_709_251_199, "20240229T235959Z"),
        ])
    func moments(_ seconds: Int64, _ text: String) {
        #expect(SignatureV4.Timestamp(seconds: seconds).text == text)
    }

    @Test(
        "Base64 as RFC 4648 has it",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64Vectors(_ text: String, _ encoded: String) {
        #expect(base64(Array(text.utf8)) == encoded)
    }
}
