// Where backups go. Everything above this room sees an `ObjectStore`: a flat set of immutable objects under keys that
// are written once. A directory on another disk, an S3 bucket and the stores of the tests are peers under one contract
// suite (Tests/ObjectStorageTests/ObjectStoreContract.swift).

/// One place that keeps whole objects under keys.
///
/// Keys are relative to the store's own root or prefix, ASCII, never empty, at most 1,024 bytes with the prefix. Every
/// call ends, with a result or an error, before its `deadline`.
package protocol ObjectStore: Sendable {
    /// The store as a person would write it, without secrets: `s3://bucket/prefix` or `file:///dir`.
    var location: String { get }

    /// What the store is.
    var kind: StoreKind { get }

    /// What was found otherwise than it was told, and made good; empty as long as nothing was.
    var discoveries: [StoreDiscovery] { get }

    /// How the store proves that an upload has arrived intact, on one line; nil as long as no check has found out.
    var proof: String? { get }
    /// The last failure of an outage that goes on, as far as that is known; nil while the store answers.
    var outage: ObjectStoreError? { get }

    /// The bytes of the largest object that the store takes.
    var largestObject: Int64 { get }

    /// Which digests `put` wants of a file of `length` bytes: with others it reads the file once more.
    func digestPlan(length: Int64) -> DigestPlan

    /// How contents are sent part by part while they are written; nil: the store takes whole ones only.
    var streaming: StreamOffer? { get }

    /// Begins to send a content part by part; nil if the store offers no such thing.
    ///
    /// `call` is the one that its requests belong to, as long as the stream lasts.
    func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)?

    /// Asks whether the store can be used: it answers, the credentials are right, the bucket or directory is there.
    func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError)

    /// Stores one whole object and proves that the bytes arrived intact.
    ///
    /// Nothing appears under `key` on failure, except when the answer to an applied request was lost. Throws
    /// `.contentChanged` if the file is not what its digests say.
    func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError)

    /// Streams one whole object into `descriptor` from offset 0; returns what the store says about the object, with the
    /// SHA-256 of what was written.
    ///
    /// The file is then exactly as long as the object, with holes where that has long runs of zeros; after an error its
    /// content is undefined. Throws `.notFound` only if the store says that the object is not there, and `.corrupted` if
    /// it has more than `limit` bytes.
    ///
    /// An object that comes in parts has the time until `deadline` anew for each part, so that what comes slowly comes all
    /// the same; with nothing coming it ends no later than that time after its last part began.
    func get(
        _ key: String, into descriptor: Int32, limit: Int64, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary

    /// `put` as the call that it is, so that requests that make it up can be tried again by themselves.
    func put(
        _ key: String, _ body: ObjectBody, _ attributes: ObjectAttributes, as call: StoreCall,
        deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError)

    /// `get` as the call that it is, so that requests that make it up can be tried again by themselves.
    func get(
        _ key: String, into descriptor: Int32, limit: Int64, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectSummary

    /// What the store says about one object; nil if it says that the object is not there.
    func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?

    /// Removes one object. An object that is not there counts as removed.
    func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError)

    /// Removes many objects with few requests; returns what went wrong, for the keys that may still be there.
    ///
    /// Throws if nothing is known of any of them.
    func delete(
        _ keys: [String], deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [String: ObjectStoreError]

    /// Stores a small object unless there is one under `key`; of several at the same moment one succeeds.
    ///
    /// After an answer that was lost, `.taken` may be about an object of one's own.
    func create(
        _ key: String, _ bytes: [UInt8], _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> Creation

    /// The nearest place above this one, in the same bucket or file system, that has an object under `key`.
    ///
    /// nil if there is none. What the credentials may not see counts as not there.
    func ancestor(holding key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> String?

    /// Gives the store the record of its uploads in parts, before the first of them.
    func use(_ recorder: any UploadRecorder)

    /// Aborts the uploads in parts that are on record and do not run in this process; returns how many there were.
    ///
    /// Nothing else is touched: what is not on record is somebody else's.
    @discardableResult
    func abortUnfinished(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> Int

    /// Up to 1,000 keys that start with `prefix` and come after `key`; fewer mean that there are no more.
    ///
    /// Going on after the last key of a page gives each key once. Keys in one directory (all alike up to their last slash)
    /// are in bytewise order, and `key` need not exist there. Across directories the order is the store's own: SeaweedFS
    /// lists `a/b` before `a-b`, so there `key` must be one that was listed.
    func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject]
}

extension ObjectStore {
    /// Stores on this machine are as they were told.
    package var discoveries: [StoreDiscovery] { [] }
}

/// What became of an object that was to be the first under its key.
package enum Creation: Sendable, Equatable {
    /// It is there now, and none was before.
    case created
    /// There was one already; it is as it was.
    case taken
    /// The store cannot say whether there was one: nothing was stored.
    case notOffered
}

/// What a store found to be otherwise than it was told, and goes by since.
package enum StoreDiscovery: Sendable, Equatable {
    /// The store's clock is ahead of this machine's.
    case clock(ahead: Duration)
    /// The bucket is in another region.
    case region(String)
    /// Requests go to another host (with its port, if that is not the usual one).
    case host(String)
}

/// The bytes of an object to store.
package enum ObjectBody: Sendable {
    /// `length` bytes of an open file from offset 0; the caller keeps the descriptor open until the call ends.
    ///
    /// The object does not appear before the barrier `after` lets it.
    case file(descriptor: Int32, length: Int64, digests: ContentDigests, after: WriteAheadBarrier? = nil)
    /// Bytes in memory.
    case bytes([UInt8])
}

/// What an object carries besides its bytes.
package struct ObjectAttributes: Sendable, Equatable {
    /// The MIME type, like `image/jpeg`.
    package var contentType: String
    /// User metadata: lower-case ASCII names without the `x-amz-meta-` prefix, printable ASCII values; at most 2 KB in all.
    package var metadata: [String: String]

    package init(contentType: String = "application/octet-stream", metadata: [String: String] = [:]) {
        self.contentType = contentType
        self.metadata = metadata
    }
}

/// What a store says about one object.
package struct ObjectSummary: Sendable {
    /// The object's length in bytes.
    package var size: Int64
    /// The user metadata as stored, names in lower case.
    package var metadata: [String: String]
    /// How long ago it was stored, by the store's own clock; nil if the store does not say.
    package var age: Duration?
    /// SHA-256 of the bytes that `get` has written, 32 bytes; empty from a `head`, which has none.
    package var sha256: [UInt8]

    package init(size: Int64, metadata: [String: String], age: Duration? = nil, sha256: [UInt8] = []) {
        self.size = size
        self.metadata = metadata
        self.age = age
        self.sha256 = sha256
    }
}

extension ObjectSummary: Equatable {
    /// Whether they say the same of an object; when and how it was asked for does not matter.
    package static func == (one: ObjectSummary, other: ObjectSummary) -> Bool {
        one.size == other.size && one.metadata == other.metadata
    }
}

/// One line of a listing.
package struct ListedObject: Sendable, Equatable {
    /// The key, relative to the store's prefix.
    package var key: String
    /// The object's length in bytes.
    package var size: Int64

    package init(key: String, size: Int64) {
        self.key = key
        self.size = size
    }
}
