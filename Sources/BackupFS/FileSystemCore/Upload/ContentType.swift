// The Content-Type of an object: by the ending of its file's name, and where that says nothing by its first bytes, as
// browsers and CDNs that are pointed at the bucket need it.

import Glibc

/// What kind of file an object holds.
enum ContentType {
    /// For what nobody knows.
    static let unknown = "application/octet-stream"
    /// As many first bytes tell the type of a file that has a type at all.
    private static let headLength = 32

    /// The type of a file; `name` is its final name, `file` an open descriptor of it.
    static func of(_ name: [UInt8], file: Int32) -> String {
        if let known = byName(name) { return known }
        var head = [UInt8](repeating: 0, count: headLength)
        let count = pread(file, &head, head.count, 0)
        return byContent(head.prefix(max(0, count))) ?? unknown
    }

    /// By the ending of a name; nil if it tells nothing.
    static func byName(_ name: [UInt8]) -> String? {
        let lower = String(decoding: name, as: UTF8.self).lowercased()
        return lower.split(separator: ".", omittingEmptySubsequences: false).dropFirst().last.flatMap {
            endings[String($0)]
        }
    }

    /// By a file's first bytes; nil if they are none that are known.
    static func byContent(_ head: ArraySlice<UInt8>) -> String? {
        for (start, type) in beginnings where head.starts(with: start) { return type }
        let head = Array(head)
        guard head.count >= 12 else { return nil }
        let (first, third) = (Array(head[0..<4]), Array(head[8..<12]))
        if first == Array("RIFF".utf8) { return third == Array("WEBP".utf8) ? "image/webp" : nil }
        // The box that says what kind of ISO base media file it is (ISO/IEC 14496-12).
        guard Array(head[4..<8]) == Array("ftyp".utf8) else { return nil }
        return brands[String(decoding: third, as: UTF8.self)] ?? "video/mp4"
    }

    private static let beginnings: [([UInt8], String)] = [
        ([0xFF, 0xD8, 0xFF], "image/jpeg"),
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
        (Array("GIF8".utf8), "image/gif"),
        ([0xFF, 0x0A], "image/jxl"),
        ([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20, 0x0D, 0x0A, 0x87, 0x0A], "image/jxl"),
        // Before TIFF, of which it is a kind: Canon's.
        ([0x49, 0x49, 0x2A, 0, 0x10, 0, 0, 0, 0x43, 0x52], "image/x-canon-cr2"),
        ([0x49, 0x49, 0x2A, 0], "image/tiff"),
        ([0x4D, 0x4D, 0, 0x2A], "image/tiff"),
        ([0x49, 0x49, 0x55, 0], "image/x-panasonic-rw2"),
        (Array("IIRO".utf8), "image/x-olympus-orf"),
        (Array("FUJIFILMCCD-RAW".utf8), "image/x-fuji-raf"),
        (Array("%PDF-".utf8), "application/pdf"),
    ]

    private static let brands = [
        "avif": "image/avif", "avis": "image/avif", "heic": "image/heic", "heix": "image/heic", "heim": "image/heic",
        "heis": "image/heic", "mif1": "image/heif", "msf1": "image/heif", "hevc": "image/heic-sequence",
        "crx ": "image/x-canon-cr3", "qt  ": "video/quicktime", "M4A ": "audio/mp4", "M4V ": "video/x-m4v",
    ]

    private static let endings = [
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "jpe": "image/jpeg", "png": "image/png", "gif": "image/gif",
        "webp": "image/webp", "heic": "image/heic", "heif": "image/heif", "avif": "image/avif", "jxl": "image/jxl",
        "tif": "image/tiff", "tiff": "image/tiff", "bmp": "image/bmp", "svg": "image/svg+xml",
        "ico": "image/vnd.microsoft.icon",
        "psd": "image/vnd.adobe.photoshop", "dng": "image/x-adobe-dng", "cr2": "image/x-canon-cr2",
        "cr3": "image/x-canon-cr3", "nef": "image/x-nikon-nef", "arw": "image/x-sony-arw", "raf": "image/x-fuji-raf",
        "orf": "image/x-olympus-orf", "rw2": "image/x-panasonic-rw2", "pef": "image/x-pentax-pef",
        "mp4": "video/mp4", "m4v": "video/x-m4v", "mov": "video/quicktime", "mkv": "video/x-matroska",
        "webm": "video/webm", "avi": "video/x-msvideo", "3gp": "video/3gpp", "mpg": "video/mpeg", "mpeg": "video/mpeg",
        "mts": "video/mp2t", "m2ts": "video/mp2t", "mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav",
        "flac": "audio/flac", "ogg": "audio/ogg", "pdf": "application/pdf", "json": "application/json",
        "txt": "text/plain",
        "csv": "text/csv", "html": "text/html", "css": "text/css", "js": "text/javascript", "xml": "application/xml",
        "xmp": "application/rdf+xml", "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
    ]
}
