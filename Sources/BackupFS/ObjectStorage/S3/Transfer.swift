// One request on its way through libcurl. Everything here runs on the transfer loop's thread; libcurl calls back on that
// thread only, from curl_multi_perform.

import CCurl
import Glibc

/// A libcurl handle that is used for one request after another, so that its buffers stay.
final class TransferHandle {
    let easy: UnsafeMutableRawPointer
    let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init?() {
        guard let easy = curl_easy_init() else {
            errorText.deallocate()
            return nil
        }
        self.easy = easy
    }

    deinit {
        curl_easy_cleanup(easy)
        errorText.deallocate()
    }
}

/// A request as it goes over the wire, decided at the moment it is sent.
struct SignedRequest: Sendable {
    let endpoint: S3Endpoint
    let headers: [(name: String, value: String)]
    var usesProxy = true
    /// What it was signed with; nil if it was not.
    var signing: Signing?
}

/// The settings that all requests share.
struct TransferSettings: Sendable {
    let caBundle: String?
    let proxies: ProxySettings
    var timeouts = TransferTimeouts()
    /// In bytes a second, both directions together; nil: no limit.
    var bandwidth: Int64?
}

/// One request that runs.
final class Transfer {
    let submission: TransferLoop.Submission
    let handle: TransferHandle
    private var request: S3Request { submission.request }
    private var answer = S3Answer()
    /// What went wrong on our side, where libcurl knows only that a callback gave up.
    private var failure: ObjectStoreError?
    /// How many bytes of the body were read so far.
    private var sent: Int64 = 0
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var progress = TransferProgress(now: .now)
    /// Whether it is paused before the last byte of the body.
    private var isAtBarrier = false
    private let settings: TransferSettings
    private let signed: SignedRequest
    /// What the limit of bandwidth lets it move.
    var share: BandwidthShare
    private lazy var digest = MessageDigest.sha256()
    /// How many bytes of the body the digest has.
    private var digested: Int64 = 0

    /// Prepares the handle; the request is signed now.
    init(
        _ submission: TransferLoop.Submission, _ handle: TransferHandle, _ settings: TransferSettings,
        _ trust: ConnectionTrust
    ) {
        self.submission = submission
        self.handle = handle
        self.settings = settings
        signed = submission.sign(submission.request)
        share = BandwidthShare(isLimited: settings.bandwidth != nil)
        configure()
        switch trust {
        case .any: break
        case .none: backupfs_curl_set_long(handle.easy, CURLOPT_FRESH_CONNECT, 1)
        case .youngerThan(let seconds): backupfs_curl_set_long(handle.easy, CURLOPT_MAXLIFETIME_CONN, max(1, seconds))
        }
    }

    deinit { curl_slist_free_all(headers) }

    /// The proxy's URL, perhaps with a password; empty: none.
    private var proxy: String { signed.usesProxy ? settings.proxies.proxy(for: signed.endpoint) : "" }

    private func configure() {
        let easy = handle.easy
        curl_easy_reset(easy)
        handle.errorText[0] = 0
        let query = request.query.isEmpty ? "" : "?" + request.query
        backupfs_curl_set_string(easy, CURLOPT_URL, signed.endpoint.origin + request.path + query)
        backupfs_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, handle.errorText)
        for (option, value) in Self.constants { backupfs_curl_set_long(easy, option, value) }
        backupfs_curl_set_bound_unsent(easy)
        backupfs_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, signed.endpoint.isSecure ? "https" : "http")
        // Both are always set: libcurl would look into the environment itself.
        backupfs_curl_set_string(easy, CURLOPT_PROXY, proxy)
        backupfs_curl_set_string(easy, CURLOPT_NOPROXY, settings.proxies.exceptions)
        if let bundle = settings.caBundle { backupfs_curl_set_string(easy, CURLOPT_CAINFO, bundle) }
        let remaining = ContinuousClock.now.duration(to: submission.deadline)
        let connect = max(1, min(settings.timeouts.connect, remaining).milliseconds)
        backupfs_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connect)
        switch request.method {
        case .get: break
        case .head: backupfs_curl_set_long(easy, CURLOPT_NOBODY, 1)
        case .delete: backupfs_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, "DELETE")
        case .put, .post:
            backupfs_curl_set_long(easy, CURLOPT_UPLOAD, 1)
            if request.method == .post { backupfs_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, "POST") }
            backupfs_curl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(request.body.length))
        }
        for header in signed.headers {
            // libcurl sends a header without a value only if it is written with a semicolon.
            add(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        add("Expect:")
        backupfs_curl_set_list(easy, CURLOPT_HTTPHEADER, headers)
        setCallbacks()
    }

    private static let constants: [(CURLoption, Int)] = [
        (CURLOPT_NOSIGNAL, 1), (CURLOPT_TCP_NODELAY, 1), (CURLOPT_TCP_KEEPALIVE, 1), (CURLOPT_FOLLOWLOCATION, 0),
        (CURLOPT_PATH_AS_IS, 1), (CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2),
        (CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)), (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
        (CURLOPT_UPLOAD_BUFFERSIZE, 256 * 1024), (CURLOPT_BUFFERSIZE, 256 * 1024),
        (CURLOPT_SUPPRESS_CONNECT_HEADERS, 1),
        // A name lookup that hangs must not hold up the loop when its request is given up.
        (CURLOPT_QUICK_EXIT, 1),
    ]

    private func add(_ header: String) {
        headers = curl_slist_append(headers, header) ?? headers
    }

    private func setCallbacks() {
        let easy = handle.easy
        // The loop holds the transfer until after it has taken the handle out of libcurl.
        let me = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_PRIVATE, CURLOPT_READDATA, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_SEEKDATA] {
            backupfs_curl_set_pointer(easy, option, me)
        }
        backupfs_curl_set_data_function(easy, CURLOPT_READFUNCTION) { bytes, size, count, me in
            guard let bytes, let me else { return Int(CURL_READFUNC_ABORT) }
            return Transfer.from(me).produce(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        backupfs_curl_set_data_function(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, me in
            guard let bytes, let me else { return 0 }
            return Transfer.from(me).consume(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        backupfs_curl_set_data_function(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, me in
            guard let bytes, let me else { return 0 }
            return Transfer.from(me).consumeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        // libcurl starts a body again when a kept connection turns out to be closed.
        backupfs_curl_set_seek_function(easy) { me, offset, origin in
            guard let me, origin == SEEK_SET else { return Int32(CURL_SEEKFUNC_FAIL) }
            Transfer.from(me).sent = Int64(offset)
            return Int32(CURL_SEEKFUNC_OK)
        }
    }

    /// The transfer behind a pointer that libcurl hands back.
    static func from(_ pointer: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func produce(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = Int(min(Int64(buffer.count), max(0, request.body.length - sent)))
        if count > 0 {
            guard share.mayMove else { return Int(CURL_READFUNC_PAUSE) }
            if sent + Int64(count) == request.body.length, let barrier = request.barrier {
                switch barrier.outcome {
                case true?: break
                case false?:
                    failure = .localFile(errno: EIO)
                    return Int(CURL_READFUNC_ABORT)
                case nil:
                    // All but the last byte; then it waits.
                    count -= 1
                    isAtBarrier = count == 0
                    guard !isAtBarrier else { return Int(CURL_READFUNC_PAUSE) }
                }
            }
            count = share.take(atMost: count)
        }
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        switch request.body {
        case .none: return 0
        case .bytes(let bytes, _):
            bytes.withUnsafeBytes { wanted.copyMemory(from: .init(rebasing: $0[Int(sent)..<Int(sent) + wanted.count])) }
        case .file(let descriptor, let offset, _, _):
            do throws(ObjectStoreError) {
                guard try LocalFile(descriptor).read(at: offset + sent, into: wanted) == wanted.count else {
                    throw .contentChanged(key: request.key)
                }
            } catch {
                failure = error
                return Int(CURL_READFUNC_ABORT)
            }
        }
        sent += Int64(wanted.count)
        return wanted.count
    }

    /// Goes on if what it waited for has been decided.
    func passBarrier() {
        guard isAtBarrier, request.barrier?.outcome != nil else { return }
        isAtBarrier = false
        curl_easy_pause(handle.easy, CURLPAUSE_CONT)
    }

    /// Lets it move so many bytes more.
    func grant(_ count: Int) {
        if share.grant(count) { curl_easy_pause(handle.easy, CURLPAUSE_CONT) }
    }

    private func consumeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        progress.noteAnswer(now: .now)
        var end = line.count
        while end > 0, line[end - 1] == 10 || line[end - 1] == 13 { end -= 1 }
        if end > 0 { answer.read(headerLine: UnsafeRawBufferPointer(rebasing: line[..<end])) }
        return line.count
    }

    private func consume(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.isEmpty || share.mayMove else { return Int(CURL_WRITEFUNC_PAUSE) }
        share.charge(bytes.count)
        do throws(ObjectStoreError) {
            switch request.sink {
            case .file(let descriptor, let offset, let limit) where [200, 206].contains(answer.status):
                try checkRange(offset: offset, more: bytes.count, limit: limit)
                try LocalFile(descriptor).writeSparsely(bytes, at: offset + answer.received)
                // Parts are digested where they lie, in their order.
                if answer.status == 200 { try addToDigest(bytes) }
            case .digest where answer.status == 200: try addToDigest(bytes)
            case .file, .digest: keep(bytes, limit: 64 * 1024)
            case .memory(let limit):
                guard answer.body.count + bytes.count <= limit || answer.status != 200 else {
                    throw .rejected(.answerTooLong, message: "the server sent more than \(limit) bytes")
                }
                keep(bytes, limit: limit)
            }
        } catch {
            failure = error
            return 0
        }
        answer.received += Int64(bytes.count)
        progress.noteAnswer(now: .now)
        return bytes.count
    }

    /// Digests the next bytes while the processor has them at hand: that takes less time than reading them again.
    ///
    /// Throws `.unreachable` if the body has begun anew, which libcurl lets none do.
    private func addToDigest(_ bytes: UnsafeRawBufferPointer) throws(ObjectStoreError) {
        guard digested == answer.received else { throw .unreachable(reason: "the answer began anew") }
        digest.update(bytes)
        digested += Int64(bytes.count)
    }

    /// Throws `.corrupted` if the server sends more than the limit, or other bytes than were asked for.
    private func checkRange(offset: Int64, more: Int, limit: Int64) throws(ObjectStoreError) {
        let sent = answer.contentRange?.total ?? answer.contentLength ?? 0
        let length = max(sent, offset + answer.received + Int64(more))
        guard length <= limit else {
            throw .corrupted(key: request.key, reason: "\(length) bytes or more, the limit is \(limit)")
        }
        guard (answer.status == 206 ? answer.contentRange?.first : 0) == offset else {
            throw .corrupted(key: request.key, reason: "the server sent another range than the one asked for")
        }
    }

    /// Keeps what fits; the rest of an endless error page is of no interest.
    private func keep(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        answer.body.append(contentsOf: bytes.prefix(max(0, limit - answer.body.count)))
    }

    /// How long after the request the answer began; nil if none has.
    var answeredAfter: Duration? { progress.answeredAfter }

    /// Whether it runs on a connection that was kept; not before it has one.
    private var isOnKeptConnection: Bool {
        var made = 0
        backupfs_curl_get_long(handle.easy, CURLINFO_NUM_CONNECTS, &made)
        return made == 0
    }

    /// Why the request has failed although libcurl still waits; nil while it may go on.
    ///
    /// `patience` is the time that a kept connection has until its answer begins.
    func stall(now: ContinuousClock.Instant, patience: Duration) -> ObjectStoreError? {
        if share.isStarved || isAtBarrier { progress.noteHeldBack(now: now) }
        var sent: curl_off_t = 0
        backupfs_curl_get_offset(handle.easy, CURLINFO_SIZE_UPLOAD_T, &sent)
        progress.look(sent: Int64(sent), now: now)
        return progress.failure(
            length: request.body.length, settings.timeouts, patience: isOnKeptConnection ? patience : nil, now: now)
    }

    /// What came of it, once libcurl is done.
    func outcome(_ code: CURLcode) -> Result<S3Answer, ObjectStoreError> {
        if let failure { return .failure(failure) }
        if code == CURLE_OK {
            answer.signing = signed.signing
            switch request.sink {
            case .digest: answer.sha256 = digest.finish()
            case .file where answer.status == 200: answer.sha256 = digest.finish()
            case .file, .memory: break
            }
            return .success(answer)
        }
        let text =
            handle.errorText[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: handle.errorText)
        if code == CURLE_OPERATION_TIMEDOUT, submission.deadline <= .now {
            return .failure(.deadlineExceeded(reason: text))
        }
        var verdict = 0
        backupfs_curl_get_long(handle.easy, CURLINFO_SSL_VERIFYRESULT, &verdict)
        return .failure(
            ObjectStoreError(
                curl: code, text: text, verdict: CertificateVerdict(verdict), endpoint: signed.endpoint,
                isAnswered: answer.status != 0, isProxied: !proxy.isEmpty))
    }
}

extension Duration {
    /// In whole milliseconds.
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
