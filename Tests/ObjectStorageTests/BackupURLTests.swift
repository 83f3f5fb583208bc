import ObjectStorage
import Testing

@Suite("Backup URLs")
struct BackupURLTests {
    @Test(
        "A good URL is read, and written the same way",
        arguments: [
            ("s3://photos", BackupURL.Place.bucket("photos", prefix: ""), "s3://photos"),
            ("s3://photos/", .bucket("photos", prefix: ""), "s3://photos"),
            ("s3://my.photos-1/a/b/", .bucket("my.photos-1", prefix: "a/b"), "s3://my.photos-1/a/b"),
            ("file:///mnt/disk", .directory("/mnt/disk"), "file:///mnt/disk"),
            ("file:///mnt//a disk/./", .directory("/mnt/a disk"), "file:///mnt/a disk"),
        ])
    func good(_ text: String, _ place: BackupURL.Place, _ written: String) throws {
        let url = try BackupURL(text)
        #expect(url.place == place)
        #expect(url.description == written)
        #expect(try BackupURL(written) == url)
    }

    @Test(
        "A bad URL is refused with one line",
        arguments: [
            "", "photos", "/mnt", "http://host/bucket", "s3:/photos", "s3://", "s3:///x", "s3://ab", "s3://a..b",
            "s3://-ab",
            "s3://photos/../x", "s3://photos/a//b", "s3://photos/a b", "s3://photos/ä", "s3://photos/x?y",
            "s3://photos/a\\b",
            "s3://photos/\(String(repeating: "p", count: 513))", "file://mnt", "file:///", "file:///a/../b",
            "file:///a\0b",
            "nonsense\nwith two lines",
        ])
    func bad(_ text: String) {
        #expect {
            try BackupURL(text)
        } throws: { error in
            guard let error = error as? StoreConfigurationError, case .invalidURL = error else { return false }
            return !error.description.contains("\n") && !error.description.contains("\0")
        }
    }

    @Test("Credentials in a URL are refused and not repeated")
    func credentials() {
        #expect {
            try BackupURL("s3://KEY:CANARY@photos")
        } throws: { error in
            error as? StoreConfigurationError == .credentialsInURL && !"\(error)".contains("CANARY")
        }
    }
}
