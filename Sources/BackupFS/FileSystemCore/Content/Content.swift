// What is known of a file's content, as a value: which copy main has and how far it is to be trusted, what has changed since
// backup had it, and what the row says of that. Each event has a name, and returns what the caller has to do. No thread,
// no I/O and no clock is in here, so that a test can try every order in which events can come (ContentOrderTests).
//
// Changes are counted, not flagged. An upload notes the count, reads the content, and covers just that count; a write
// counts before and after it touches the file. So a write that overlaps an upload is never taken for backed up.
//
// Nothing is changed for the better inside a transaction, which may still be rolled back: there the mark is taken
// back, which at worst costs one more mark. What a transaction has brought is taken in after its commit.

import Catalogue

/// The content of one file that is in use; `Copy` is an open main copy.
struct Content<Copy: AnyObject & Sendable>: Sendable {
    /// A count of changes: what a reader of the content has seen is just that.
    struct Stamp: Hashable, Comparable, Sendable {
        fileprivate var count: UInt64 = 0

        static func < (one: Stamp, other: Stamp) -> Bool { one.count < other.count }
    }

    /// How far the main copy is known to be the file's content.
    enum Trust: Hashable, Comparable, Sendable {
        /// Nobody knows.
        case none
        /// It looks like what the row describes.
        case verified
        /// Each of its bytes was compared with the checksum, or written, while the file was in use: no bit has rotten since
        /// it was backed up.
        case compared
    }

    /// Main had no copy open at a count: what had changed until then and is not in backup may be lost.
    struct Missing: Hashable, Sendable {
        fileprivate var stamp: Stamp
    }

    /// The main copy, or what is known instead.
    enum Presence: Sendable {
        case open(Copy)
        case missing(Missing)
    }

    /// What the row is known to say.
    private struct Row: Hashable {
        /// It was looked at while this value was in use.
        var isLoaded = false
        /// Backup has a version.
        var isInBackup = false
        /// Main is ahead of backup, and a power cut cannot make that unsaid.
        var isMarked = false
    }

    /// Who may change the file, and is just doing so.
    private struct Writers: Hashable {
        /// Handles that may write.
        var handles = 0
        /// Writes that have begun and not ended.
        var writes = 0
    }

    /// Who may write to the main copy without any event.
    private struct Mapping: Hashable {
        /// Watches for mappings of it that may be written.
        var watches = 0
        /// How it looked when nobody was known to have written that way since the last event.
        var seen: MainCopy?
    }

    private var row = Row()
    private var mapping = Mapping()
    private var writers = Writers()
    /// nil while main does not have it, or nobody has needed it yet.
    private(set) var copy: Copy?
    private(set) var trust = Trust.none
    /// How the main copy looked when its content was last known to be the row's; the row says so a little later.
    private var seen: MainCopy?
    /// Grows with every change of the content.
    private var changes = Stamp()
    /// What the last committed upload covered.
    private var backedUp = Stamp()
    /// A fsync of main failed: its page cache and its disk differ for ever (I13).
    private(set) var hasLostData = false

    // MARK: What it is

    /// The row says that backup has a version.
    var isInBackup: Bool { row.isInBackup }

    /// The row says, and a power cut cannot make it unsaid, that main is ahead of backup.
    var isMarked: Bool { row.isMarked }

    /// The count of changes now.
    var stamp: Stamp { changes }

    /// Whether no write is half done: what is read then, up to the same count, is what the file was at one moment.
    var isQuiet: Bool { writers.writes == 0 }

    /// Whether backup lacks something that the file holds.
    var needsUpload: Bool { changes > backedUp }

    /// Whether backup has what the file held at a count.
    func isBackedUp(_ stamp: Stamp) -> Bool { backedUp >= stamp }

    /// The main copy if its content is known to be the file's.
    var trustedCopy: Copy? { trust > .none ? copy : nil }

    /// The copy to compare with the checksum, and the count it has; nil if there is none, or main is ahead of backup.
    ///
    /// A write that is half done may be in the copy and in no count: an upload that covers its beginning has not read it. What
    /// is written through a mapping is in the copy before anybody hears of it.
    var comparison: (copy: Copy, stamp: Stamp)? {
        guard let copy, !needsUpload, isQuiet, mapping.watches == 0 else { return nil }
        return (copy, changes)
    }

    /// A first change would put its upload in the place of the last good version, rotten bytes with it.
    var mustCompare: Bool { comparison != nil && trust < .compared }

    /// The opposite.
    var needsNoComparison: Bool { !mustCompare }

    /// The main copy that is open, or the count at which there is none.
    var presence: Presence { copy.map { .open($0) } ?? .missing(Missing(stamp: changes)) }

    /// Whether main has a copy that is open.
    var hasCopy: Bool { copy != nil }

    /// Whether the file can be changed as it is.
    var isReadyForChange: Bool { copy != nil && !mustCompare }

    /// Whether nobody has to ask if the main copy is the row's.
    var needsNoVerification: Bool { comparison == nil || trust > .none }

    // MARK: Opened and closed

    /// Takes what the row says, once; it must have been read while this value was in use.
    mutating func load(isAhead: Bool, isMarked: Bool, isInBackup: Bool) {
        guard !row.isLoaded else { return }
        row.isLoaded = true
        if isAhead { countChange() }
        row.isMarked = isMarked
        row.isInBackup = isInBackup
    }

    /// A handle that may write was opened.
    mutating func writerCame() { writers.handles += 1 }

    /// One of them was closed.
    mutating func writerWent() { writers.handles -= 1 }

    /// Whether a handle that may write is open.
    var hasWriters: Bool { writers.handles > 0 }

    /// Whether nobody is left who would answer for what backup lacks.
    var isForBackground: Bool { writers.handles == 0 && needsUpload }

    /// Main has a new, empty copy of a file that was made just now; the row has its mark from its creation.
    mutating func created(_ copy: Copy) {
        offer(copy, .compared)
        row.isMarked = true
        writers.handles += 1
    }

    // MARK: The main copy

    /// Keeps a main copy unless there is one already.
    mutating func offer(_ copy: Copy, _ trust: Trust) {
        guard self.copy == nil else { return }
        self.copy = copy
        self.trust = trust
    }

    /// The copy that nobody in the mount has changed, and how it looked last; nil if nothing about it is to be doubted.
    var unchangedCopy: (copy: Copy, seen: MainCopy?)? { comparison.map { ($0.copy, seen) } }

    /// The copy looks neither like what the row describes nor like what was seen last: it is to be verified again, which at
    /// worst, if it has changed since, costs one reading.
    mutating func copyDoubted() { trust = .none }

    /// The copy is what the row says; what was written to it since is written to what was compared.
    mutating func copyCompared(_ seen: MainCopy) {
        trust = .compared
        self.seen = seen
    }

    /// The copy was not what the row says at a count; false if it has been written since.
    mutating func copyRefuted(at stamp: Stamp) -> Bool {
        guard changes == stamp else { return false }
        copy = nil
        return true
    }

    /// Main failed to write what programs wrote: whatever is open of it, nobody knows what it holds.
    mutating func mainLostData() {
        hasLostData = true
        copy = nil
    }

    // MARK: Changes

    /// A write is about to touch the file; true if the row must be marked before it does.
    mutating func writeBegins() -> Bool {
        writers.writes += 1
        countChange()
        return !isMarked
    }

    /// The write has touched the file, or failed to: an upload that overlapped it does not count.
    ///
    /// The row still has its mark, for nobody takes it back while a write is half done.
    mutating func writeEnded() {
        writers.writes -= 1
        countChange()
    }

    /// Somebody may write to the main copy from now on without any event, through a mapping of it.
    mutating func mappingBegins() { mapping.watches += 1 }

    /// Nobody of whom this was said may any more.
    mutating func mappingEnded() {
        mapping.watches -= 1
        if mapping.watches == 0 { mapping.seen = nil }
    }

    /// The main copy if it may be written that way.
    var mappedCopy: Copy? { mapping.watches > 0 ? copy : nil }

    /// How it looks, none of its pages being written to; true if that may be a change.
    ///
    /// nil: its time does not tell.
    mutating func mappedCopyLooks(_ copy: MainCopy?) -> Bool {
        defer { mapping.seen = copy }
        return copy == nil || copy != mapping.seen
    }

    /// Whether it looks as it did then.
    func isMappedCopy(_ copy: MainCopy) -> Bool { copy == mapping.seen }

    /// The file is empty: nothing is left that could be wrong.
    mutating func emptied() { trust = .compared }

    /// The transaction that marks the row is committed, and durable if it had to be.
    ///
    /// The write that wanted it is still under way: an upload that has committed meanwhile has kept the mark, and says so
    /// only when a power cut cannot take it.
    mutating func marked() { row.isMarked = true }

    /// Backup has no object, or not what it was, or its owner wants it uploaded: what main has is to be backed up.
    mutating func uploadWanted() {
        countChange()
    }

    // MARK: Uploads

    /// Inside the transaction that says what backup has: a write that comes from now on marks the row again.
    ///
    /// Returns whether main has changed since `stamp`, or is about to, so that the row keeps its mark. That mark may be one
    /// that a power cut takes, so it is not relied on here.
    mutating func uploadCommitting(_ stamp: Stamp) -> Bool {
        // A write that comes between the commit and our hearing of it needs a mark that no power cut takes.
        row.isInBackup = true
        row.isMarked = false
        // A write that has begun may not have touched the file yet: it relies on the mark that it found.
        return changes != stamp || !isQuiet
    }

    /// That transaction is committed: backup has what the file held at `stamp`.
    mutating func uploadCommitted(_ stamp: Stamp, _ copy: MainCopy) {
        uploadNotNeeded(stamp)
        seen = copy
        trust = .compared
    }

    /// Nothing of what the file held at `stamp` has to go to backup (any more): it was deleted, say.
    mutating func uploadNotNeeded(_ stamp: Stamp) { backedUp = max(backedUp, stamp) }

    /// Inside the transaction that gives up a change that main lost; false if another change has come since, or is on its way.
    mutating func changeLosing(_ missing: Missing) -> Bool {
        guard changes == missing.stamp, isQuiet else { return false }
        row.isMarked = false
        return true
    }

    /// That transaction is committed.
    mutating func changeLost(_ missing: Missing) { uploadNotNeeded(missing.stamp) }

    private mutating func countChange() { changes.count += 1 }
}

extension Content: Equatable where Copy: Equatable {}
extension Content: Hashable where Copy: Hashable {}
