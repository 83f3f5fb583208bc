// What a listing tells of the journal.

import Catalogue
import ObjectStorage

/// The journal's objects as they are listed.
struct JournalListing: Sendable {
    /// In no order.
    var objects: [(key: JournalKey, size: Int64)] = []
    /// Keys in the journal's place that are not this format's: of an older one, or somebody's.
    var others: [String] = []

    /// Lists the journal, from the segment with `number` on.
    init(
        _ store: any ObjectStore, from number: Int64 = 0, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) {
        // `,` comes before the `-` behind a number.
        var last = JournalKey.start(number) + ","
        while true {
            let page = try await store.list(prefix: JournalKey.prefix, after: last, deadline: deadline)
            for object in page {
                if let key = JournalKey(object.key) {
                    objects.append((key, object.size))
                } else {
                    others.append(object.key)
                }
            }
            guard page.count == 1000, let end = page.last else { return }
            last = end.key
        }
    }

    /// The widest object that ends with a segment; nil if none does.
    func object(endingWith id: SegmentID) -> (key: JournalKey, size: Int64)? {
        objects.filter { $0.key.id == id }.min { $0.key.first < $1.key.first }
    }

    /// What seems to lead from a base to a segment, the base first; what does not begin with a base has a gap before it.
    ///
    /// Keys do not name the segment before: of several with its number the one is taken that was sent last.
    func chain(to end: SegmentID) -> [(key: JournalKey, size: Int64)] {
        var chain: [(key: JournalKey, size: Int64)] = []
        var next = object(endingWith: end)
        while let object = next {
            chain.append(object)
            guard !object.key.isBase else { break }
            let number = object.key.first - 1
            let before = objects.map(\.key.id).filter { $0.number == number && $0.epoch <= object.key.id.epoch }.max()
            next = before.flatMap { self.object(endingWith: $0) }
        }
        return chain.reversed()
    }
}
