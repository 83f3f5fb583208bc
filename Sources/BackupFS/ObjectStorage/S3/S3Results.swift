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
