// The answers to requests about many objects, as values.

import Foundation

extension S3XML {
    /// The text of a child of the root; nil if the document is not complete or has another root.
    static func text(_ root: Substring, _ child: Substring, in document: [UInt8]) -> String? {
        var found: String?
        let isComplete = read(document) { path, text in
            if path == [root, child] { found = text }
        }
        return isComplete ? found : nil
    }

    /// Whether the document is complete and has this root.
    static func isDocument(_ root: Substring, _ document: [UInt8]) -> Bool {
        var isRoot = false
        return read(document) { path, _ in isRoot = path == [root] } && isRoot
    }

    /// A text as the content of an element.
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    /// Undoes `encoding-type=url`, where a plus stands for a space.
    static func decoded(_ text: String) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }
}

/// The answer to a quiet DeleteObjects: what was not removed.
struct S3DeleteResult: Equatable {
    struct Refusal: Equatable {
        /// The whole key.
        var key = ""
        var code = ""
        var message = ""
    }

    private(set) var refusals: [Refusal] = []

    /// Reads an answer; nil if it is not complete.
    init?(_ document: [UInt8]) {
        var refusals: [Refusal] = []
        var current = Refusal()
        var isResult = false
        let isComplete = S3XML.read(document) { path, text in
            switch path.dropFirst().joined(separator: "/") {
            case "Error/Key": current.key = text
            case "Error/Code": current.code = text
            case "Error/Message": current.message = text
            case "Error":
                refusals.append(current)
                current = Refusal()
            case "": isResult = path.first == "DeleteResult"
            default: break
            }
        }
        guard isComplete, isResult else { return nil }
        self.refusals = refusals
    }
}

/// One page of a ListMultipartUploads answer.
struct S3UploadPage: Equatable {
    struct Upload: Equatable {
        /// The whole key.
        var key: String
        var id: String
    }

    /// Where the next page starts.
    struct Marker: Equatable {
        var key: String
        var id: String
    }

    private(set) var uploads: [Upload] = []
    /// nil if this is the last page.
    private(set) var next: Marker?

    /// Reads an answer; nil if it is not complete.
    init?(_ document: [UInt8]) {
        var key: String?
        var id: String?
        var nextKey: String?
        var nextID = ""
        var isTruncated = false
        var isListing = false
        var isGood = true
        var found: [Upload] = []
        let isComplete = S3XML.read(document) { path, text in
            switch path.dropFirst().joined(separator: "/") {
            case "Upload/Key": key = S3XML.decoded(text)
            case "Upload/UploadId": id = text
            case "Upload":
                if let key, let id { found.append(Upload(key: key, id: id)) } else { isGood = false }
                key = nil
                id = nil
            case "IsTruncated": isTruncated = text == "true"
            case "NextKeyMarker": nextKey = S3XML.decoded(text)
            case "NextUploadIdMarker": nextID = text
            case "": isListing = path.first == "ListMultipartUploadsResult"
            default: break
            }
        }
        guard isComplete, isListing, isGood, !isTruncated || nextKey != nil else { return nil }
        uploads = found
        if isTruncated, let nextKey { next = Marker(key: nextKey, id: nextID) }
    }
}
