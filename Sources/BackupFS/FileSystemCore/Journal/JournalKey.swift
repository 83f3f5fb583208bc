// The keys of segments: what a listing tells of the journal without opening one.

import Catalogue

/// One object of the journal, by its key.
struct JournalKey: Sendable, Hashable {
    static let prefix = ".backupfs/journal/"
    private static let suffix = ".jsonl.gz"
    private static let digits = 12

    /// The number of the first segment that it tells; 0 if it tells everything.
    var first: Int64
    /// Its last segment.
    var id: SegmentID

    init(first: Int64, id: SegmentID) {
        self.first = first
        self.id = id
    }

    /// nil if the key is not one that this program makes.
    init?(_ key: String) {
        guard key.hasPrefix(Self.prefix), key.hasSuffix(Self.suffix) else { return nil }
        let text = key.dropFirst(Self.prefix.utf8.count).dropLast(Self.suffix.utf8.count)
        guard let dash = text.firstIndex(of: "-"), let tilde = text.firstIndex(of: "~"), dash < tilde,
            let last = Int64(text[..<dash]), let first = Int64(text[text.index(after: dash)..<tilde]),
            let id = SegmentID("\(last)~\(text[text.index(after: tilde)...])"), (0...last).contains(first)
        else { return nil }
        self.init(first: first, id: id)
    }

    /// `LAST-FIRST~EPOCH~OWNER~ATTEMPT.jsonl.gz` below the prefix.
    var key: String {
        Self.start(id.number) + "-" + zeroPadded(first, Self.digits) + "~\(id.epoch)~\(id.attempt)" + Self.suffix
    }

    /// What the keys begin with whose last segment has this number.
    static func start(_ number: Int64) -> String { prefix + zeroPadded(number, digits) }

    /// Whether nothing before it is needed.
    var isBase: Bool { first <= 1 }
    /// How many segments it tells; without meaning for one that tells everything.
    var width: Int64 { id.number - first + 1 }
}
