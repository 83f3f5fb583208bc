import Foundation
import Glibc
import Testing

@testable import ObjectStorage

@Suite("How objects are stored")
struct S3ObjectOptionsTests {
    private static func options(_ options: StoreOptions, isSecure: Bool = true) throws -> S3ObjectOptions {
        try S3ObjectOptions(options, isSecure: isSecure)
    }

    private static func names(_ headers: [(name: String, value: String)]) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: headers.map {
                ($0.name.replacing("x-amz-server-side-encryption", with: "sse"), $0.value)
            })
    }

    @Test("Parts grow so that 10,000 are enough, and have whole mebibytes")
    func layout() throws {
        let cut = PartLayout.Cut(preferred: 16 << 20)
        #expect(cut.layout(length: (32 << 20) - 1) == nil)
        #expect(cut.layout(length: 32 << 20) == PartLayout(length: 32 << 20, size: 16 << 20))
        for length in [160_000 << 20, (160_000 << 20) + 1, PartLayout.longestObject] as [Int64] {
            let layout = try #require(cut.layout(length: length))
            #expect(layout.count <= 10_000 && layout.size % (1 << 20) == 0)
            let last = layout.part(layout.count)
            #expect(last.offset + last.length == length && last.length > 0)
        }
        #expect(try #require(cut.layout(length: PartLayout.longestObject)).size == 525 << 20)
        // One PUT carries 5 GiB at most.
        #expect(PartLayout.Cut(preferred: 5 << 30).layout(length: 5 << 30)?.count == 1)
    }

    @Test("Storage class and encryption become headers of what creates an object")
    func headers() throws {
        #expect(
            Self.names(try Self.options(StoreOptions(storageClass: "STANDARD_IA")).creationHeaders) == [
                "x-amz-storage-class": "STANDARD_IA"
            ])
        #expect(Self.names(try Self.options(StoreOptions(encryption: .aes256)).creationHeaders) == ["sse": "AES256"])
        #expect(
            Self.names(try Self.options(StoreOptions(encryption: .keyService(keyID: nil))).creationHeaders) == [
                "sse": "aws:kms"
            ])
        #expect(
            Self.names(try Self.options(StoreOptions(encryption: .keyService(keyID: "k/1"))).creationHeaders)
                == ["sse": "aws:kms", "sse-aws-kms-key-id": "k/1"])
        #expect(throws: StoreConfigurationError.self) { try Self.options(StoreOptions(storageClass: "A\r\nB: c")) }
        for archive in ["GLACIER", "DEEP_ARCHIVE", "deep_archive"] {
            let failure = #expect(throws: StoreConfigurationError.self) {
                try Self.options(StoreOptions(storageClass: archive))
            }
            #expect(failure.map { "\($0)" }?.contains("a lost file could not be fetched") == true)
        }
        #expect(throws: Never.self) { try Self.options(StoreOptions(storageClass: "GLACIER_IR")) }
        #expect(throws: StoreConfigurationError.self) { try Self.options(StoreOptions(partSize: 1 << 20)) }
        #expect(throws: StoreConfigurationError.self) { try Self.options(StoreOptions(partSize: 6 << 30)) }
        #expect(throws: StoreConfigurationError.self) { try Self.options(StoreOptions(bandwidthLimit: 100)) }
    }

    @Test("They travel with single uploads, parts, and what asks for the object, each where it belongs")
    func requests() async throws {
        let bucket = CannedBucket()
        let options = StoreOptions(partSize: 5 << 20, storageClass: "COLD", encryption: .aes256)
        try await bucket.with(options: options, proof: UploadProof(refusesWrongMD5: true)) { store, server in
            try await CannedS3.put(store)
            let file = try TemporaryFile(largeBytes(10 << 20))
            try await store.put("v", try file.body(), ObjectAttributes(), deadline: .farAway)
            _ = try await CannedS3.get(store)
            for request in server.requests {
                let isCreating = request.isCreation || request.method == "PUT" && request.partNumber == nil
                #expect((request.headers["x-amz-storage-class"] == "COLD") == isCreating)
                #expect((request.headers["x-amz-server-side-encryption"] == "AES256") == isCreating)
            }
        }
    }

    @Test("A key of the customer comes from a private file, goes over https only, and shows nowhere")
    func customerKey() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(at: directory.url, withIntermediateDirectories: true)
        let key = Array("0123456789abcdefSECRETSECRETCANA".utf8)
        func file(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws -> StoreOptions {
            let path = directory.url.appending(path: name).path
            try Data(bytes).write(to: URL(filePath: path))
            #expect(chmod(path, mode) == 0)
            return StoreOptions(encryption: .customer(keyFile: path))
        }
        let expected = [
            "sse-customer-algorithm": "AES256", "sse-customer-key": base64(key),
            "sse-customer-key-md5": base64(BodyDigests(of: key).md5),
        ]
        for options in [try file("raw", key), try file("text", Array("\(base64(key))\n".utf8))] {
            let made = try Self.options(options)
            #expect(Self.names(made.accessHeaders) == expected)
            #expect(made.creationHeaders.isEmpty)
            #expect(!"\(made)".contains(base64(key)))
            var dumped = ""
            dump(made, to: &dumped)
            #expect(!dumped.contains(base64(key)))
            #expect(throws: StoreConfigurationError.self) { try Self.options(options, isSecure: false) }
        }
        let bad = [
            try file("open", key, mode: 0o640), try file("short", Array(key.dropLast())), try file("empty", []),
            StoreOptions(encryption: .customer(keyFile: directory.path)),
            StoreOptions(encryption: .customer(keyFile: "\(directory.path)/none")),
        ]
        for options in bad { #expect(throws: StoreConfigurationError.self) { try Self.options(options) } }
    }

    @Test(
        "What people write for encryption is understood or refused",
        arguments: [
            ("AES256", .aes256), ("aws:kms", .keyService(keyID: nil)),
            ("aws:kms:arn:aws:kms:eu:1:key/2", .keyService(keyID: "arn:aws:kms:eu:1:key/2")),
            ("customer:/etc/key", .customer(keyFile: "/etc/key")), ("", nil), ("aes", nil), ("aws:kms:", nil),
            ("customer:", nil),
        ] as [(String, ServerSideEncryption?)])
    func text(_ text: String, _ meaning: ServerSideEncryption?) {
        #expect(ServerSideEncryption(text) == meaning)
    }
}
