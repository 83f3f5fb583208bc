// Whatever a server, a file or a service says, the readers survive it, and what they accept is well-formed.

import Foundation
import Testing

@testable import ObjectStorage

@Suite("Readers of what others wrote, with inputs changed at random")
struct ParserFuzzTests {
    private static let documents = [
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name><KeyCount>2</KeyCount>\
        <IsTruncated>true</IsTruncated><Contents><Key>a%20b/c~0.jpg</Key><Size>200000</Size><ETag>"00"</ETag></Contents>\
        <Contents><Key>d+e%26</Key><Size>0</Size></Contents><NextContinuationToken>t&amp;1</NextContinuationToken>\
        </ListBucketResult>
        """,
        "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no &#x41;</Message></Error></DeleteResult>",
        "<Error><Code>SlowDown</Code><Message>later &lt;&#233;&gt;</Message><Region>eu-west-1</Region></Error>",
        "<InitiateMultipartUploadResult><UploadId>abc</UploadId></InitiateMultipartUploadResult>",
        """
        <AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
        </AssumeRoleResponse>
        """,
    ]

    private static let markup = [
        "<", ">", "</", "/>", "&", ";", "&amp;", "&#x110000;", "&#xD800;", "&#-1;", "<a>", "</a>", "<!DOCTYPE x>",
        "<!--",
        "<![CDATA[", "<?", "-1", "9223372036854775808", "%", "%ff", "\u{0}", "\u{301}", "<Contents>", "</Contents>",
        "true",
    ]

    @Test(
        "XML: a document is read whole or refused, elements nest within the limit, and lists have no impossible sizes")
    func xml() {
        Mutations.each(Self.documents, tokens: Self.markup) { input in
            // How deep the element that ended last was: the next one to end is its parent, or one beside or below it.
            var last: [Substring] = []
            let isComplete = S3XML.read(input) { path, _ in
                #expect((1...16).contains(path.count) && path.allSatisfy { !$0.isEmpty })
                #expect(last.isEmpty || path.count >= last.count - 1)
                last = path
            }
            // The root ends last, and a document is complete only then.
            if isComplete { #expect(last.count == 1) }
            if let page = S3ListPage(input) {
                #expect(isComplete && last == ["ListBucketResult"] && page.objects.allSatisfy { $0.size >= 0 })
            }
            if S3DeleteResult(input) != nil { #expect(isComplete && last == ["DeleteResult"]) }
            if let id = S3XML.text("InitiateMultipartUploadResult", "UploadId", in: input) {
                #expect(isComplete && id.utf8.count <= input.count)
            }
        }
    }

    @Test("Error answers: codes and messages are short and on one line, and no error is a success")
    func errors() throws {
        Mutations.each(Self.documents, tokens: Self.markup + ["\n", "\r", "\u{7f}"]) { input in
            var answer = S3Answer()
            answer.status = 200 + input.count % 400
            answer.body = input
            answer.location = String(decoding: input.suffix(60), as: UTF8.self)
            let failure = S3Failure(answer)
            for text in [failure.code.map { "\($0)" } ?? "", failure.message, failure.bucketRegion ?? ""] {
                #expect(text.unicodeScalars.count <= 300 && text.unicodeScalars.allSatisfy { $0.value >= 0x20 })
            }
            #expect(!(failure.hasCode && failure.isForeign))
            let description = "\(failure.error(key: "key", bucket: "bucket"))"
            #expect(!description.isEmpty && !description.unicodeScalars.contains { $0 == "\n" || $0 == "\r" })
        }
    }

    @Test("Profile files: refused with the number of a line that is there, or sections and settings that have names")
    func profiles() {
        let samples = [
            "[default]\naws_access_key_id = AKIA\naws_secret_access_key = abc/def+#;\n",
            "[profile a]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile = default\ns3 =\n  addressing_style = path\n",
            "\u{feff}[b]\r\ncredential_process = /bin/x --a \"b c\" # ; d\r\nregion: eu-west-1 ; comment\r\n",
            "# comment\n[services x]\ns3 =\n  endpoint_url = https://h:1/p\n[sso-session y]\nkey = one\n  two\n",
        ]
        let tokens = [
            "[", "]", "=", ":", "#", ";", " ", "\t", "\n", "\r\n", "\r", "\u{b}", "\u{85}", "\u{2028}", "\"", "\\",
            "[a]\n",
            "k=v\n", "  k=v\n", "\u{0}", "\u{301}", "\u{feff}",
        ]
        Mutations.each(samples, tokens: tokens) { input in
            let text = String(decoding: input, as: UTF8.self)
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).count
            do throws(StoreConfigurationError) {
                let file = try ProfileFile(text, path: "FILE")
                #expect(file.sections.count <= lines)
                for (name, settings) in file.sections {
                    #expect(!name.isEmpty && settings.count <= lines)
                    #expect(settings.keys.allSatisfy { !$0.isEmpty && $0 == $0.lowercased() })
                    for value in settings.values { _ = CommandWords.split(value) }
                }
            } catch {
                let number = "\(error)".split(separator: "line ").last.flatMap { Int($0.prefix(while: \.isNumber)) }
                #expect(number.map { (1...lines).contains($0) } == true, "\(error)")
            }
        }
    }

    @Test("Headers of answers: ranges, dates and waits are within their limits")
    func headers() {
        let samples = [
            "HTTP/1.1 200 OK\nContent-Length: 12\nETag: \"00ff\"\nDate: Tue, 24 Nov 2026 03:16:00 GMT",
            "HTTP/1.1 206 Partial Content\nContent-Range: bytes 0-99/1000\nx-amz-meta-mode: 33188\nTransfer-Encoding: chunked",
            "HTTP/1.1 503 Slow Down\nRetry-After: 120\nx-amz-bucket-region: eu-west-1\nLocation: https://b.s3.example.com/",
            "HTTP/1.1 100 Continue\nHTTP/2 301\nRetry-After: Wed, 21 Oct 2030 07:28:00 GMT\nx-amz-server-side-encryption: aws:kms",
        ]
        let tokens = [
            ":", " ", "\n", "\t", "-", "/", "*", "+", "bytes ", "9223372036854775807", "9223372036854775808", "-1",
            "HTTP/",
            "Content-Range: bytes 0-0/1\n", "Retry-After: ", "\u{0}", "GMT", "0", "9999",
        ]
        Mutations.each(samples, tokens: tokens) { input in
            var answer = S3Answer()
            for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
                line.withUnsafeBytes { answer.read(headerLine: $0) }
            }
            if let range = answer.contentRange {
                #expect(range.first >= 0 && range.count > 0 && range.first + range.count <= range.total)
            }
            if let wait = answer.retryAfter { #expect(wait >= .zero) }
            if let date = answer.date { #expect(date >= 0) }
            if let etag = answer.etag { #expect(!etag.contains("\"")) }
            #expect(answer.metadata.keys.allSatisfy { $0 == $0.lowercased() })
            // What acts upon an answer's head must survive it too.
            let clock = ServerClock()
            if let date = answer.date { _ = clock.follow(date) }
            _ = SignatureV4.Timestamp(seconds: clock.now).text
        }
    }

    @Test("Credentials in JSON: refused without a word of the document, or keys that a header can hold")
    func json() {
        let samples = [
            #"{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "CANARY", "SessionToken": "CANARY", "Expiration": "2030-01-01T00:00:00Z"}"#,
            #"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"CANARY/+=","Token":"CANARY","Expiration":"2030-01-01T00:00:00.5+09:00"}"#,
        ]
        let tokens = [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "null", "1e999", "-1", "\"Version\": 1,",
            "\n", "\u{0}",
            "99999999", "Z", "T",
        ]
        Mutations.each(samples, tokens: tokens) { input in
            do throws(ObjectStoreError) {
                let found = try CredentialDocument(input, version: input.count.isMultiple(of: 2) ? 1 : nil, source: "X")
                #expect(found.credentials.isPrintable)
            } catch {
                #expect("\(error)".contains("X gave no credentials") && !"\(error)".contains("CANARY"))
            }
        }
    }
}
