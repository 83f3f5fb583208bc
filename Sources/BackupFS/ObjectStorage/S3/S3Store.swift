// Backup storage in an S3 bucket: signed requests, one object a PUT, or its parts in parallel if it is large. What servers
// do differently is met by not relying on it: the content's MD5 is sent and compared with the ETag, a missing bucket is
// looked for before it is written to, and absence is believed only from an S3 server.

import Foundation
import Linux
import Logging
import Synchronization

/// An object store in an S3 bucket.
package final class S3Store: ObjectStore {
    package let location: String
    let configuration: S3Configuration
    let loop: SigningLoop
    let logger: Logger
    /// Reads files again, for digests that nobody has made, and to find out who changed the bytes.
    let digesting = BlockingQueue(label: "backupfs.s3.digests", width: 2)
    /// Reads what has arrived in parts.
    let arrivals = BlockingThreads(name: "backupfs.s3.arrivals", width: 2)
    let enforcement: Enforcement
    let uploads = UploadsUnderWay()
    /// Whether the server has refused a batch of removals as such.
    let refusesBatches = Flag()
    /// Whether the server honours If-None-Match; nil as long as it was not tried.
    let isConditional = Mutex<Bool?>(nil)

    /// Starts the thread for this server; asks it nothing yet.
    ///
    /// Throws `.localFile` with ENOMEM if libcurl cannot be used.
    package convenience init(
        _ configuration: S3Configuration, logger: Logger = Logger(label: "s3") { _ in SwiftLogNoOpLogHandler() }
    ) throws(ObjectStoreError) {
        try self.init(configuration, timeouts: TransferTimeouts(), logger: logger)
    }

    /// `enforcement` is what is known of the server's own checks; by default nothing.
    init(
        _ configuration: S3Configuration, timeouts: TransferTimeouts, clock: ServerClock = ServerClock(),
        enforcement: Enforcement = Enforcement(),
        logger: Logger = Logger(label: "s3") { _ in SwiftLogNoOpLogHandler() }
    ) throws(ObjectStoreError) {
        self.configuration = configuration
        self.logger = logger
        self.enforcement = enforcement
        location =
            configuration.prefix.isEmpty
            ? "s3://\(configuration.bucket)" : "s3://\(configuration.bucket)/\(configuration.prefix)"
        loop = try SigningLoop(configuration, timeouts: timeouts, clock: clock, logger: logger)
    }

    deinit { loop.stop() }

    package var kind: StoreKind { .bucket(prefix: root) }

    package var discoveries: [StoreDiscovery] { loop.discoveries }

    package func use(_ recorder: any UploadRecorder) { uploads.use(recorder) }

    /// While it is held, requests that were not sent yet end with `.unreachable`, all but checks.
    func hold(_ isHeld: Bool) { loop.hold(isHeld) }

    package var proof: String? { enforcement.known.map { "\($0)" } }

    package var largestObject: Int64 { PartLayout.longestObject }

    package func digestPlan(length: Int64) -> DigestPlan {
        configuration.objects.cut.layout(length: length).map { .parts(size: $0.size) } ?? .whole
    }

    package var streaming: StreamOffer? {
        let cut = configuration.objects.cut
        return cut.layout(length: cut.threshold).map {
            StreamOffer(partSize: $0.size, threshold: max(cut.threshold, $0.size + 1), mostParts: Int(PartLayout.most))
        }
    }

    package func check(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        try await checkBucket(deadline: deadline)
        // With the store held back only the listing gets through, and its answer is what everybody waits for.
        if enforcement.known == nil { await probe(deadline: deadline) }
    }

    private func checkBucket(deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        var request = listRequest(prefix: "", [("max-keys", "1")], lane: .read)
        request.isProbe = true
        let answer = try await loop.run(request, deadline: deadline)
        _ = try page(answer)
    }

    package func head(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> ObjectSummary?
    {
        guard let answer = try await headAnswer(key, deadline: deadline) else { return nil }
        return ObjectSummary(size: answer.contentLength ?? 0, metadata: answer.metadata, age: answer.age)
    }

    /// A good answer with a length; nil if the server says that the object is not there.
    func headAnswer(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) -> S3Answer? {
        var request = try objectRequest(.head, .read, key)
        request.headers = configuration.objects.accessHeaders
        let answer = try await loop.run(request, deadline: deadline)
        guard answer.status == 200 else {
            let error = try await confirmed(answer, key: key, deadline: deadline)
            if case .notFound = error { return nil }
            throw error
        }
        guard let size = answer.contentLength, size >= 0 else {
            throw .unreachable(reason: "the server did not say how long \(key) is")
        }
        return answer
    }

    package func delete(_ key: String, deadline: ContinuousClock.Instant) async throws(ObjectStoreError) {
        let answer = try await loop.run(try objectRequest(.delete, .upkeep, key), deadline: deadline)
        if answer.status == 204 || answer.status == 200 && !S3Failure(answer).hasCode { return }
        let error = try await confirmed(answer, key: key, deadline: deadline)
        if case .notFound = error { return }
        throw error
    }

    package func list(
        prefix: String, after key: String?, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [ListedObject] {
        var objects: [ListedObject] = []
        var continuation: String?
        repeat {
            var query = [("max-keys", "\(1000 - objects.count)")]
            if let continuation {
                query.append(("continuation-token", continuation))
            } else if let key {
                query.append(("start-after", root + key))
            }
            let page = try page(
                try await loop.run(listRequest(prefix: prefix, query, lane: .upkeep), deadline: deadline))
            for object in page.objects {
                guard object.key.hasPrefix(root + prefix) else {
                    throw .rejected(.foreignKey, message: "the server listed a key outside the prefix")
                }
                let name = String(object.key.dropFirst(root.count))
                if !name.isEmpty { objects.append(ListedObject(key: name, size: object.size)) }
            }
            guard page.continuation == nil || page.continuation != continuation else {
                throw .rejected(.endlessListing, message: "the server gave the same page twice")
            }
            continuation = page.continuation
        } while continuation != nil && objects.count < 1000
        return objects
    }

    /// The error behind a bad answer about an object.
    ///
    /// A 404 without a code says neither that the bucket is there nor that an S3 server answered: a listing does.
    func confirmed(
        _ answer: S3Answer, key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> ObjectStoreError {
        let failure = S3Failure(answer)
        let error = failure.error(key: key, bucket: location)
        if case .notFound = error, !failure.hasCode { try await checkBucket(deadline: deadline) }
        return error
    }

    func page(_ answer: S3Answer) throws(ObjectStoreError) -> S3ListPage {
        guard answer.status == 200 else {
            throw S3Failure(answer).error(key: "", bucket: location)
        }
        guard let page = S3ListPage(answer.body) else {
            throw .unreachable(reason: "the server sent something that is no complete listing")
        }
        return page
    }

    // MARK: Requests

    /// What every whole key starts with.
    var root: String { configuration.prefix.isEmpty ? "" : configuration.prefix + "/" }

    /// A request about one object; the query's values are not encoded yet.
    func objectRequest(
        _ method: S3Request.Method, _ lane: S3Request.Lane, _ key: String, _ query: [(String, String)] = []
    ) throws(ObjectStoreError) -> S3Request {
        let full = root + key
        guard !key.isEmpty, full.utf8.count <= 1024, full.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw .rejected(.invalidKey, message: "S3 cannot hold the key \(key)")
        }
        let path = "\(configuration.address.path)/\(percentEncoded(full, keeping: "/"))"
        return S3Request(method: method, lane: lane, key: key, path: path, query: Self.encoded(query))
    }

    /// A request about the bucket; the query's values are not encoded yet.
    func bucketRequest(
        _ method: S3Request.Method, _ lane: S3Request.Lane, _ query: [(String, String)]
    ) -> S3Request {
        S3Request(
            method: method, lane: lane, key: "", path: configuration.address.root, query: Self.encoded(query),
            sink: .memory(limit: 8 << 20))
    }

    private func listRequest(prefix: String, _ more: [(String, String)], lane: S3Request.Lane) -> S3Request {
        bucketRequest(.get, lane, [("encoding-type", "url"), ("list-type", "2"), ("prefix", root + prefix)] + more)
    }

    private static func encoded(_ query: [(String, String)]) -> String {
        query.map { "\($0)=\(percentEncoded($1))" }.sorted().joined(separator: "&")
    }
}
