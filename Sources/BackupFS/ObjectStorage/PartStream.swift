// A large content that is sent while it is still being written: its parts are told one by one, and its length and checksum
// only at the end. A store that can do nothing of the kind offers none, and takes whole contents (`put`).

import Linux

/// What a store offers to contents that are sent part by part.
package struct StreamOffer: Sendable, Equatable {
    /// The bytes of each part but the last.
    package var partSize: Int64
    /// From how many bytes on a content is sent so.
    package var threshold: Int64
    /// The most parts.
    package var mostParts: Int

    package init(partSize: Int64, threshold: Int64, mostParts: Int) {
        self.partSize = partSize
        self.threshold = threshold
        self.mostParts = mostParts
    }
}

/// One content on its way, part by part; nothing is under its key before `complete`.
package protocol PartStream: Sendable {
    /// How many parts are worth sending at once.
    var width: Int { get }

    /// Sends a part, the first having the number 1, and proves that it arrived; the caller keeps the file open.
    ///
    /// A part that was sent before is replaced; it must not be under way. Throws `.contentChanged` if the bytes are not what
    /// their digests say.
    func send(_ number: Int, _ part: StreamedPart, deadline: ContinuousClock.Instant) async throws(ObjectStoreError)

    /// Makes the object of the parts 1 to `count`, once the barrier lets it, and proves that it is what was sent.
    func complete(
        _ content: StreamedContent, after barrier: WriteAheadBarrier?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError)

    /// Has the store forget the parts; nobody waits for that.
    func abandon()
}

/// A stretch of a file that is sent as a part.
package struct StreamedPart: Sendable {
    package var descriptor: Int32
    package var offset: Int64
    package var length: Int64
    package var digests: BodyDigests

    package init(descriptor: Int32, offset: Int64, length: Int64, digests: BodyDigests) {
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
        self.digests = digests
    }
}

/// What the parts of a stream are together.
package struct StreamedContent: Sendable {
    /// How many parts there are.
    package var count: Int
    /// In bytes.
    package var length: Int64
    /// SHA-256 of the whole, 32 bytes.
    package var sha256: [UInt8]

    package init(count: Int, length: Int64, sha256: [UInt8]) {
        self.count = count
        self.length = length
        self.sha256 = sha256
    }
}

extension ObjectStore {
    package var streaming: StreamOffer? { nil }

    package func beginStream(
        _ key: String, _ attributes: ObjectAttributes, as call: StoreCall, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? { nil }

    /// Begins one that nobody tries again.
    package func beginStream(
        _ key: String, _ attributes: ObjectAttributes, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> (any PartStream)? {
        try await beginStream(key, attributes, as: .triedOnce, deadline: deadline)
    }
}
