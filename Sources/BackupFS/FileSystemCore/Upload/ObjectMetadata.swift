import Catalogue
import Glibc
import Linux
import ObjectStorage

/// What an object says of its file, so that a bucket alone tells everything and other tools see the right thing.
enum ObjectMetadata {
    /// The attributes of a version's object; `path` are the names from the root down, and `file` is open on the content.
    ///
    /// A temporary name is given as the final one, where it tells that.
    static func make(
        _ row: Resource, path: [[UInt8]], version: Version, modified: Nanoseconds, file: Int32
    ) -> ObjectAttributes {
        let name = TemporaryName.final(of: path.last ?? [])
        let encodedPath = percentEncoded(
            (path.dropLast() + [name]).joined(separator: [UInt8(ascii: "/")]), keeping: "/")
        var metadata = [
            "mode": "\(UInt32(S_IFREG) | row.mode)",
            "uid": "\(row.uid)",
            "gid": "\(row.gid)",
            "mtime": seconds(modified),
            "backupfs-id": "\(row.id.rawValue)",
            "backupfs-version": version.id.description,
        ]
        // An upload that begins before its file's close does not know it yet.
        if !version.sha256.isEmpty { metadata["backupfs-sha256"] = hexadecimal(version.sha256) }
        if let point = version.point { metadata["backupfs-seq"] = "\(point)" }
        // S3 allows 2 KB of metadata in all; a longer path is in the journal only.
        if encodedPath.utf8.count <= 1500 { metadata["backupfs-path"] = encodedPath }
        return ObjectAttributes(contentType: ContentType.of(name, file: file), metadata: metadata)
    }

    /// Seconds since 1970 with nine digits of fraction, as s3fs reads them.
    static func seconds(_ time: Nanoseconds) -> String {
        let split = time.timespec
        let fraction = String(split.tv_nsec)
        return "\(split.tv_sec)." + String(repeating: "0", count: 9 - fraction.count) + fraction
    }

    /// The time that `seconds` has written; nil for another text.
    static func nanoseconds(_ text: String) -> Nanoseconds? {
        let parts = text.split(separator: ".")
        guard parts.count == 2, parts[1].utf8.count == 9, let seconds = Int64(parts[0]),
            let fraction = Int64(parts[1]), fraction >= 0
        else { return nil }
        let (product, isLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isLarger) = product.addingReportingOverflow(fraction)
        return isLarge || isLarger ? nil : sum
    }
}
