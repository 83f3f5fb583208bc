import Foundation
import ObjectStorage
import Testing

@testable import Command

@Suite("How objects travel and are kept")
struct ObjectSettingsTests {
    private static func request(_ arguments: [String]) throws -> MountRequest {
        let command = try BackupFSCommand.parseAsRoot(FstabForm.normalised(arguments))
        return try #require(command as? MountCommand).request()
    }

    @Test(
        "a number of bytes is whole, above 0, and may have a unit",
        arguments: [
            ("1", 1), ("500000", 500_000), ("512K", 512 << 10), ("16M", 16 << 20), ("16m", 16 << 20), ("5G", 5 << 30),
            ("0", nil), ("", nil), ("M", nil), ("-5", nil), ("1.5M", nil), ("5T", nil), ("9223372036854775807G", nil),
        ] as [(String, Int64?)])
    func byteCounts(text: String, bytes: Int64?) {
        #expect(ByteCountArgument(text: text)?.bytes == bytes)
    }

    @Test("options have the same meaning on the command line and after -o, and a long option wins")
    func options() throws {
        let expected = ObjectSettings(
            partSize: ByteCountArgument(bytes: 32 << 20), bandwidthLimit: ByteCountArgument(bytes: 10 << 20),
            storageClass: "STANDARD_IA", sse: "aws:kms:key/1")
        let long = try Self.request([
            "mount", "/main", "/mnt", "--part-size", "32M", "--bandwidth-limit", "10M", "--storage-class",
            "STANDARD_IA", "--sse", "aws:kms:key/1",
        ])
        #expect(long.given.objects == expected)
        let list = "part_size=32M,bandwidth_limit=10M,storage_class=STANDARD_IA,sse=aws:kms:key/1"
        #expect(try Self.request(["/main", "/mnt", "-o", list]).given.objects == expected)
        let both = try Self.request(["mount", "/main", "/mnt", "--part-size", "64M", "-o", list])
        #expect(both.given.objects?.partSize == ByteCountArgument(bytes: 64 << 20))
        #expect(both.given.objects?.sse == "aws:kms:key/1")
        #expect(try Self.request(["mount", "/main", "/mnt"]).given.objects == nil)
        for bad in ["part_size=x", "part-size", "bandwidth_limit=", "sse"] {
            #expect(throws: (any Error).self) { try Self.request(["mount", "/main", "/mnt", "-o", bad]) }
        }
    }

    @Test("they are remembered, and settings of an earlier version without them are still read")
    func coding() throws {
        let settings = BackupSettings(
            backup: "s3://b", objects: ObjectSettings(partSize: ByteCountArgument(bytes: 5 << 20), sse: "AES256"))
        let data = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(BackupSettings.self, from: data) == settings)
        let old = try JSONDecoder().decode(BackupSettings.self, from: Data(#"{"backup": "s3://b"}"#.utf8))
        #expect(old.objects == nil)
        #expect(BackupSettings(transfers: 2).filled(from: settings).objects == settings.objects)
        let given = BackupSettings(objects: ObjectSettings(sse: "aws:kms"))
        #expect(given.filled(from: settings).objects?.partSize == ByteCountArgument(bytes: 5 << 20))
        #expect(given.filled(from: settings).objects?.sse == "aws:kms")
    }

    @Test("a key file's path is made absolute, and what is no encryption is refused")
    func encryption() throws {
        let relative = BackupSettings(objects: ObjectSettings(sse: "customer:key"))
        let path = try #require(relative.withAbsolutePaths.objects?.sse)
        #expect(path.hasPrefix("customer:/") && path.hasSuffix("/key"))
        var options = StoreOptions()
        try ObjectSettings(partSize: ByteCountArgument(bytes: 7), sse: "customer:/k").add(to: &options)
        #expect(options.encryption == .customer(keyFile: "/k"))
        #expect(options.partSize == 7)
        #expect(throws: PreflightFailure.self) { try ObjectSettings(sse: "none").add(to: &options) }
    }
}
