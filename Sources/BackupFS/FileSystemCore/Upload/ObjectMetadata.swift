import Catalogue
import Glibc
import Linux
import ObjectStorage

/// What an object says of its file, so that a bucket alone tells everything and other tools see the right thing.
enum ObjectMetadata {
    /// The attributes of a version's object; `path` are the names from the root down.
    static func make(_ row: Resource, path: [[UInt8]], version: Version, modified: Nanoseconds) -> ObjectAttributes {
        let encodedPath = percentEncoded(path.joined(separator: [UInt8(ascii: "/")]), keeping: "/")
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
        return ObjectAttributes(contentType: contentType(path.last ?? []), metadata: metadata)
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

    private static func contentType(_ name: [UInt8]) -> String {
        let lower = String(decoding: name, as: UTF8.self).lowercased()
        let suffix = lower.split(separator: ".").dropFirst().last.map(String.init) ?? ""
        return contentTypes[suffix] ?? "application/octet-stream"
    }

    private static let contentTypes = [
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
        "heic": "image/heic", "heif": "image/heif", "avif": "image/avif", "tif": "image/tiff", "tiff": "image/tiff",
        "bmp": "image/bmp", "svg": "image/svg+xml", "dng": "image/x-adobe-dng", "mp4": "video/mp4",
        "mov": "video/quicktime", "mkv": "video/x-matroska", "webm": "video/webm", "pdf": "application/pdf",
        "json": "application/json", "txt": "text/plain", "html": "text/html", "xml": "application/xml",
        "zip": "application/zip",
    ]
}
