// All requests to S3 run on one thread, in libcurl's multi interface. Others hand requests over and wait without a
// thread. A request is answered by the loop only, after libcurl has let go of it: then nobody uses the caller's
// descriptor any more.

import CCurl
import Foundation
import Linux
import Synchronization

/// The thread that talks to the servers.
final class TransferLoop: Sendable {
    /// A request and whoever waits for its end.
    struct Submission: Sendable {
        let id: UInt64
        let request: S3Request
        let deadline: ContinuousClock.Instant
        /// Says where it goes, with which headers; called on the loop's thread when its turn has come.
        let sign: @Sendable (S3Request) -> SignedRequest
        let outcome: OneShot<Result<S3Answer, ObjectStoreError>>
    }

    private struct Inbox {
        var nextID: UInt64 = 0
        var submitted: [Submission] = []
        var cancelled: [UInt64] = []
        var isHeld = false
        var isStopping = false
    }

    /// libcurl's multi handle; only its wakeup is called from other threads, which libcurl allows.
    private struct Multi: @unchecked Sendable {
        // Proof: the pointer is constant. The loop's thread makes all calls with it, and cleans it up as its last one;
        // other threads call curl_multi_wakeup, which is documented as safe, before they have set `isStopping` only.
        let pointer: UnsafeMutableRawPointer
    }

    private static let initialized = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let multi: Multi
    private let settings: TransferSettings
    private let transfers: Int
    /// Guards what is handed to the thread; held for no call but curl_multi_wakeup, so that no wakeup comes after the stop.
    private let inbox = Mutex(Inbox())

    /// Starts the thread; throws `.localFile` with ENOMEM if libcurl cannot be used.
    init(_ settings: TransferSettings, transfers: Int) throws(ObjectStoreError) {
        guard Self.initialized == CURLE_OK, let pointer = curl_multi_init() else { throw .localFile(errno: ENOMEM) }
        multi = Multi(pointer: pointer)
        self.settings = settings
        self.transfers = transfers
        backupfs_curl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, transfers)
        let thread = Thread { [self] in
            var run = TransferRun(multi.pointer, settings, transfers: transfers)
            while let work = takeInbox() { run.step(work.submitted, work.cancelled, isHeld: work.isHeld) }
            run.close()
        }
        thread.name = "backupfs-s3"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Ends the thread; nothing may be submitted afterwards, and nothing may be running.
    func stop() {
        inbox.withLock { inbox in
            inbox.isStopping = true
            curl_multi_wakeup(multi.pointer)
        }
    }

    /// While it is held, nothing is started but probes: other requests end with `.unreachable`, not sent.
    func hold(_ isHeld: Bool) {
        inbox.withLock { inbox in
            inbox.isHeld = isHeld
            if !inbox.isStopping { curl_multi_wakeup(multi.pointer) }
        }
    }

    /// Runs one request, signed when its turn comes; a cancelled task gives it up.
    ///
    /// Throws `.deadlineExceeded`, `.unreachable` or what went wrong on our side; any HTTP status is an answer.
    func run(
        _ request: S3Request, deadline: ContinuousClock.Instant,
        sign: @escaping @Sendable (S3Request) -> SignedRequest
    ) async throws(ObjectStoreError) -> S3Answer {
        guard deadline > .now else { throw .deadlineExceeded(reason: "the deadline has passed") }
        let outcome = OneShot<Result<S3Answer, ObjectStoreError>>()
        let id = inbox.withLock { inbox in
            inbox.nextID += 1
            inbox.submitted.append(
                Submission(
                    id: inbox.nextID, request: request, deadline: deadline, sign: sign, outcome: outcome))
            curl_multi_wakeup(multi.pointer)
            return inbox.nextID
        }
        request.barrier?.whenDecided { [self] in wake() }
        let result = await withTaskCancellationHandler {
            await outcome.value()
        } onCancel: {
            inbox.withLock { inbox in
                inbox.cancelled.append(id)
                if !inbox.isStopping { curl_multi_wakeup(multi.pointer) }
            }
        }
        return try result.get()
    }

    private func wake() {
        inbox.withLock { inbox in
            if !inbox.isStopping { curl_multi_wakeup(multi.pointer) }
        }
    }

    /// What came since the last time; nil when the thread is to end.
    private func takeInbox() -> (submitted: [Submission], cancelled: [UInt64], isHeld: Bool)? {
        inbox.withLock { inbox in
            guard !inbox.isStopping else { return nil }
            defer {
                inbox.submitted = []
                inbox.cancelled = []
            }
            return (inbox.submitted, inbox.cancelled, inbox.isHeld)
        }
    }
}

/// What the loop's thread keeps to itself.
private struct TransferRun {
    private let multi: UnsafeMutableRawPointer
    private let settings: TransferSettings
    private var queue: TransferQueue
    private var running: [UInt64: Transfer] = [:]
    private var idle: [TransferHandle] = []
    private var kept = KeptConnections()
    /// nil: no limit.
    private var bandwidth: Bandwidth?

    init(_ multi: UnsafeMutableRawPointer, _ settings: TransferSettings, transfers: Int) {
        self.multi = multi
        self.settings = settings
        queue = TransferQueue(total: transfers)
        bandwidth = settings.bandwidth.map { Bandwidth(rate: $0, now: .now) }
    }

    /// Starts what may start, moves bytes, answers what has ended, then waits for the next event.
    mutating func step(_ submitted: [TransferLoop.Submission], _ cancelled: [UInt64], isHeld: Bool) {
        for submission in submitted { queue.add(submission) }
        for id in cancelled { giveUp(id) }
        if isHeld { handBack() }
        expire()
        start()
        shareBandwidth()
        for transfer in running.values { transfer.passBarrier() }
        var count: Int32 = 0
        curl_multi_perform(multi, &count)
        finishMessages()
        start()
        askForBandwidth()
        // What was started just now is not in libcurl's timers yet: it asks to be called at once.
        curl_multi_poll(multi, nil, 0, waitTime(), nil)
    }

    /// Frees everything; nothing is running any more.
    mutating func close() {
        for (_, transfer) in running { end(transfer, .failure(.unreachable(reason: "the store was closed"))) }
        idle = []
        curl_multi_cleanup(multi)
    }

    private mutating func start() {
        while let submission = queue.next() {
            guard let handle = idle.popLast() ?? TransferHandle() else {
                queue.finished(submission.request.lane)
                submission.outcome.decide(.failure(.localFile(errno: ENOMEM)))
                continue
            }
            let transfer = Transfer(submission, handle, settings, kept.trust(now: .now))
            running[submission.id] = transfer
            let code = curl_multi_add_handle(multi, handle.easy)
            if code != CURLM_OK {
                end(transfer, .failure(.unreachable(reason: String(cString: curl_multi_strerror(code)))))
            }
        }
    }

    private mutating func shareBandwidth() {
        guard let granted = bandwidth?.grants(now: .now), let quantum = bandwidth?.quantum else { return }
        for id in granted { running[id]?.grant(quantum) }
        askForBandwidth()
    }

    private mutating func askForBandwidth() {
        guard bandwidth != nil else { return }
        for (id, transfer) in running where transfer.share.isStarved {
            bandwidth?.ask(id, isPart: transfer.submission.request.lane.isPart)
        }
    }

    private mutating func finishMessages() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let result = backupfs_curl_message_result(message)
            var pointer: UnsafeMutableRawPointer?
            backupfs_curl_get_pointer(backupfs_curl_message_easy(message), CURLINFO_PRIVATE, &pointer)
            guard let pointer else { continue }
            let transfer = Transfer.from(pointer)
            // Whatever it was: the connection is closed, and others may be as dead.
            if result != CURLE_OK, transfer.answeredAfter == nil { kept.fellSilent(now: .now) }
            if let time = transfer.answeredAfter { kept.answered(after: time) }
            end(transfer, transfer.outcome(result))
        }
    }

    private mutating func expire() {
        let now = ContinuousClock.now
        for submission in queue.expire(now) {
            submission.outcome.decide(.failure(.deadlineExceeded(reason: "all transfers to the server were busy")))
        }
        for transfer in running.values where transfer.submission.deadline <= now {
            end(transfer, .failure(.deadlineExceeded(reason: "the server did not finish its answer")))
        }
        for transfer in running.values {
            guard let failure = transfer.stall(now: now, patience: kept.patience(settings.timeouts)) else { continue }
            kept.fellSilent(now: now)
            end(transfer, .failure(failure))
        }
    }

    private mutating func handBack() {
        for submission in queue.removeAllButProbes() {
            submission.outcome.decide(.failure(.unreachable(reason: "not sent, because the server does not answer")))
        }
    }

    private mutating func giveUp(_ id: UInt64) {
        let outcome = Result<S3Answer, ObjectStoreError>.failure(.deadlineExceeded(reason: "the request was given up"))
        if let transfer = running[id] {
            end(transfer, outcome)
        } else {
            queue.remove(id)?.outcome.decide(outcome)
        }
    }

    /// Takes a transfer out of libcurl, then answers.
    private mutating func end(_ transfer: Transfer, _ outcome: Result<S3Answer, ObjectStoreError>) {
        let submission = transfer.submission
        curl_multi_remove_handle(multi, transfer.handle.easy)
        running[submission.id] = nil
        bandwidth?.end(submission.id, unused: transfer.share.left)
        idle.append(transfer.handle)
        queue.finished(submission.request.lane)
        submission.outcome.decide(outcome)
    }

    /// In milliseconds, up to the next deadline; a second at most while requests run, whose progress is looked at.
    private func waitTime() -> Int32 {
        var earliest = queue.earliestDeadline
        for transfer in running.values {
            earliest = min(earliest ?? transfer.submission.deadline, transfer.submission.deadline)
        }
        let now = ContinuousClock.now
        var longest = running.isEmpty ? Duration.seconds(60) : settings.timeouts.look
        if let earliest { longest = min(longest, now.duration(to: earliest)) }
        if let wait = bandwidth?.wait(now: now) { longest = min(longest, wait) }
        // One more than asked: rounded down, the loop would spin through the last millisecond.
        return Int32(clamping: max(0, longest.milliseconds + 1))
    }
}
