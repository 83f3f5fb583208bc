// The little XML that S3 speaks: elements with text, no attributes that matter. What comes is not trusted: no document
// types, no entities but the predefined ones, bounded depth; the size is bounded by whoever read it.

/// Reads a document element by element.
struct S3XML {
    private static let deepest = 16

    /// The names of the open elements, outermost first.
    private var open: [Substring] = []
    private var text = ""

    /// Calls `visit` at each element's end with the names from the root to it, and its own text.
    ///
    /// Returns false if the document is malformed or ends too early.
    static func read(_ document: [UInt8], visit: ([Substring], String) -> Void) -> Bool {
        guard let text = String(validating: document, as: UTF8.self) else { return false }
        var reader = S3XML()
        return reader.run(text[...], visit)
    }

    private mutating func run(_ document: Substring, _ visit: ([Substring], String) -> Void) -> Bool {
        var rest = document.drop { $0.isWhitespace || $0 == "\u{feff}" }
        var hasRoot = false
        while let opening = rest.firstIndex(of: "<") {
            guard append(rest[..<opening]) else { return false }
            rest = rest[opening...]
            guard let closing = rest.firstIndex(of: ">") else { return false }
            let tag = rest[rest.index(after: rest.startIndex)..<closing]
            rest = rest[rest.index(after: closing)...]
            if tag.hasPrefix("?") { continue }
            if tag.hasPrefix("!") { return false }
            if tag.hasPrefix("/") {
                guard open.last == tag.dropFirst().prefix(while: { !$0.isWhitespace }) else { return false }
                visit(open, text)
                open.removeLast()
                text = ""
                continue
            }
            guard open.count < Self.deepest, !(open.isEmpty && hasRoot) else { return false }
            hasRoot = true
            let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
            guard !name.isEmpty else { return false }
            open.append(name)
            text = ""
            if tag.hasSuffix("/") {
                visit(open, "")
                open.removeLast()
            }
        }
        return hasRoot && open.isEmpty && rest.allSatisfy(\.isWhitespace)
    }

    /// Adds text, its entities replaced; false if there is one that we do not know.
    private mutating func append(_ piece: Substring) -> Bool {
        var rest = piece
        while let ampersand = rest.firstIndex(of: "&") {
            text += rest[..<ampersand]
            guard let end = rest[ampersand...].prefix(12).firstIndex(of: ";") else { return false }
            let name = rest[rest.index(after: ampersand)..<end]
            switch name {
            case "amp": text += "&"
            case "lt": text += "<"
            case "gt": text += ">"
            case "quot": text += "\""
            case "apos": text += "'"
            default:
                let code = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst(1))
                guard name.hasPrefix("#"), let code, let scalar = Unicode.Scalar(code) else { return false }
                text.unicodeScalars.append(scalar)
            }
            rest = rest[rest.index(after: end)...]
        }
        text += rest
        return true
    }
}

/// One page of a ListObjectsV2 answer.
struct S3ListPage: Equatable {
    var objects: [ListedObject] = []
    /// Where the next page starts; nil if this is the last.
    var continuation: String?

    /// Reads an answer; nil if it is no complete listing.
    init?(_ document: [UInt8]) {
        var page = Self()
        var key: String?
        var size: Int64?
        var isTruncated = false
        var isListing = false
        var isGood = true
        let isComplete = S3XML.read(document) { path, text in
            switch path.dropFirst().joined(separator: "/") {
            case "Contents/Key": key = S3XML.decoded(text)
            case "Contents/Size": size = Int64(text)
            case "Contents":
                if let key, let size, size >= 0 {
                    page.objects.append(ListedObject(key: key, size: size))
                } else {
                    isGood = false
                }
                key = nil
                size = nil
            case "IsTruncated": isTruncated = text == "true"
            case "NextContinuationToken": page.continuation = text
            case "": isListing = path.first == "ListBucketResult"
            default: break
            }
        }
        guard isComplete, isListing, isGood, !isTruncated || page.continuation != nil else { return nil }
        if !isTruncated { page.continuation = nil }
        self = page
    }

    private init() {}
}
