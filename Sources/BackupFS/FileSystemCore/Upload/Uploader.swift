// The second half of the write scenario: Write.4 and Write.5. One upload of a file runs at a time; closes that come
// meanwhile wait for it, or for the next one if it does not cover what they wrote.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage

/// Backs up files.
final class Uploader: StorageStep {
    let storages: Storages
    let claim: PrefixClaim
    private let early: EarlyUploads
    private let recoverer: Recoverer
    let counters: Counters
    let logger: Logger

    init(
        storages: Storages, claim: PrefixClaim, early: EarlyUploads, recoverer: Recoverer, counters: Counters,
        logger: Logger
    ) {
        self.storages = storages
        self.claim = claim
        self.early = early
        self.recoverer = recoverer
        self.counters = counters
        self.logger = logger
    }

    /// Returns when backup holds everything that the file had when this was called.
    func backUp(_ file: FileState, deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let wanted = file.content { $0.stamp }
        while true {
            guard let (work, mustStart) = file.join(.upload, unless: { $0.isBackedUp(wanted) }) else { return }
            if mustStart { startUpload(file, work, deadline: deadline) }
            guard let outcome = await work.wait(until: deadline) else { throw .backupTimedOut }
            // An upload that began before our change says nothing about it, neither good nor bad.
            if mustStart { return try outcome.get() }
        }
    }

    private func startUpload(_ file: FileState, _ work: SharedWork, deadline: ContinuousClock.Instant) {
        // The upload holds the file, so that it goes on when the handle is closed.
        _ = files.acquire(file.id)
        Task(executorPreference: BlockingExecutor.shared) { [self] in
            let outcome: SharedWork.Outcome
            do throws(FileSystemError) {
                try await upload(file, deadline: deadline)
                counters.add(\.uploadsDone)
                outcome = .success(())
            } catch {
                counters.add(\.uploadsFailed)
                await noteFailure(file, error)
                outcome = .failure(error)
            }
            file.ended(.upload)
            files.release(file)
            work.finish(outcome)
        }
    }

    /// Backs up one consistent content of the file, as a new object.
    private func upload(_ file: FileState, deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if file.content({ $0.hasLostData }) { throw .mainLostData }
        let first = try catalogue.row(file.id)
        if first.status != .deleted { try await claim.verify(deadline: deadline) }
        // A file that others keep writing is read again, and at last while they are held off.
        for attempt in 1...4 {
            let seen = file.content { $0.stamp }
            let row = attempt == 1 ? first : try catalogue.row(file.id)
            guard row.status != .deleted,
                let descriptor = try await contentToUpload(file, row, deadline: deadline)
            else {
                file.watch(nil)?.abandon()
                return file.content { $0.uploadNotNeeded(seen) }
            }
            if try await uploadOnce(file, row, descriptor, isLastAttempt: attempt == 4, deadline: deadline) { return }
        }
        throw .contentKeepsChanging
    }

    /// The main copy; nil if there is none and so nothing that backup does not have.
    private func contentToUpload(
        _ file: FileState, _ row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Descriptor? {
        // The count is from before the search: who brings the copy meanwhile may write to it at once.
        let missing: Content<Descriptor>.Missing
        switch file.content({ $0.presence }) {
        case .open(let descriptor): return descriptor
        case .missing(let known): missing = known
        }
        if try catalogue.isUndecided(row),
            let descriptor = try await recoverer.recoverBegunUpload(file, row, deadline: deadline)
        {
            return descriptor
        }
        guard let found = try tree.mainCopy(row) else { return nil }
        if let found { return found }
        if let descriptor = try await recoverer.recoverBegunUpload(file, row, deadline: deadline) { return descriptor }
        tree.noteMissing(row)
        guard row.inBackup else { throw .inNoStorage }
        // The last good version is the file.
        try await recoverer.noteLostChange(file, missing)
        return nil
    }

    /// A content that was read for its upload.
    struct Reading: Sendable {
        let source: Descriptor
        let stamp: Content<Descriptor>.Stamp
        /// It cannot change any more.
        let isSnapshot: Bool
        let size: Int64
        let digests: ContentDigests
        /// Main's copy as it was before it was read: what changes it behind the mount since then is noticed at the next open.
        let seen: MainCopy
        /// Of the changes of the file's times, from before main's copy was looked at.
        let times: FileState.TimeStamp
    }

    /// One upload; false if the content changed meanwhile.
    private func uploadOnce(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, isLastAttempt: Bool,
        deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        if let isDone = try await uploadByParts(
            file, row, descriptor, early, mayBegin: !isLastAttempt, deadline: deadline)
        {
            return isDone
        }
        guard let reading = try await read(file, descriptor, isLastAttempt: isLastAttempt, deadline: deadline)
        else { return false }
        guard hasKeptWrites(descriptor) else { throw try await dropUnwritten(file, row, descriptor) }
        guard let path = try catalogue.path(of: row.id),
            let version = try await begin(row, path, reading, deadline: deadline)
        else { return false }
        let delivery = try await deliver(file, row, version, reading) { isOnRecord throws(ObjectStoreError) in
            try await self.store.put(
                version.key,
                .file(
                    descriptor: reading.source.number, length: reading.size, digests: reading.digests,
                    after: isOnRecord),
                ObjectMetadata.make(
                    row, path: path, version: version, modified: reading.seen.modified, file: reading.source.number),
                deadline: deadline)
        }
        switch delivery {
        case .committed: return true
        case .changed: return false
        // The next attempt with this content takes the version up again; one with another content abandons it.
        case .failed(.contentChanged(version.key)) where !isLastAttempt: return false
        case .failed(let failure): throw .backup(failure)
        }
    }

    /// What became of a version that was sent.
    enum Delivery {
        case committed
        /// The content is another one by now, or the version was given up.
        case changed
        case failed(ObjectStoreError)
    }

    /// Has a version sent while its row becomes durable, and commits it.
    func deliver(
        _ file: FileState, _ row: Resource, _ version: Version, _ reading: Reading,
        send: (WriteAheadBarrier) async throws(ObjectStoreError) -> Void
    ) async throws(FileSystemError) -> Delivery {
        try reach("upload.begun")
        // What a power cut must not take is synced while the bytes travel. Main's copy may go: backup has it.
        let isOnRecord = WriteAheadBarrier()
        let recorded = OneShot<FileSystemError?>()
        syncLog(isOnRecord, recorded)
        var failure: ObjectStoreError?
        do throws(ObjectStoreError) { try await send(isOnRecord) } catch { failure = error }
        let unrecorded = await recorded.value()
        try reach("upload.sent")
        if let unrecorded { throw unrecorded }
        health.note(failure)
        if let failure { return .failed(failure) }
        guard reading.isSnapshot || file.content({ $0.stamp }) == reading.stamp else { return .changed }
        return try await commit(file, row, version, reading) ? .committed : .changed
    }

    /// Reads what is to be uploaded; nil if it changed meanwhile.
    private func read(
        _ file: FileState, _ descriptor: Descriptor, isLastAttempt: Bool, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Reading? {
        let snapshot = try isLastAttempt ? await stillCopy(file, descriptor) : nil
        let source = snapshot?.descriptor ?? descriptor
        let (now, isQuiet) = file.content { ($0.stamp, $0.isQuiet) }
        let stamp = snapshot?.stamp ?? now
        let times = file.timeStamp
        let before = try source.status()
        let size = Int64(before.st_size)
        var seen = MainCopy(try descriptor.status())
        seen.size = size
        let digests: ContentDigests
        do throws(ObjectStoreError) {
            try refuseTooLarge(size)
            digests = try await BulkWork.digests(
                of: source, length: size, store.digestPlan(length: size), deadline: deadline
            ) { [catalogue] in catalogue.work.isStopped }
        } catch .localFile(let code) {
            // A file that has become shorter is read again.
            if try source.status().st_size < before.st_size { return nil }
            throw .backup(.localFile(errno: code))
        } catch {
            throw .backup(error)
        }
        // A write that was half done may be in one half of what was read and not in the other.
        guard snapshot != nil || isQuiet && file.content({ $0.stamp }) == stamp else { return nil }
        return Reading(
            source: source, stamp: stamp, isSnapshot: snapshot != nil, size: size, digests: digests, seen: seen,
            times: times)
    }

    /// Before the request: after a kill nobody else would know of the object.
    ///
    /// nil if the file was deleted in this moment.
    private func begin(
        _ row: Resource, _ path: [[UInt8]], _ reading: Reading, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Version? {
        let id = VersionID(now: currentTime())
        let longestKey = store.longestKey
        let new = Version(
            id: id, resource: row.id, key: ObjectKey.make(path: path, version: id, limit: longestKey),
            size: reading.size, sha256: reading.digests.sha256, state: .uploading)
        return try await begin(new, deadline: deadline) {
            $0.key == ObjectKey.make(path: path, version: $0.id, limit: longestKey)
        }
    }

    /// The same with a version that is known.
    func begin(
        _ new: Version, deadline: ContinuousClock.Instant, isSameKey: @escaping @Sendable (Version) -> Bool
    ) async throws(FileSystemError) -> Version? {
        let epoch = try await claim.epoch(deadline: deadline)
        do throws(FileSystemError) {
            let begun = try await catalogue.changeLater(
                .processCrash,
                .beginUpload(new, epoch: epoch.number, now: currentTime(), isSameKey: isSameKey))
            if begun.leavesWork { catalogue.work.wake() }
            return begun.version
        } catch .catalogue(.noSuchResource) {
            return nil
        }
    }

    /// Write.5: the row says backup and `created`; false if the version was given up meanwhile.
    private func commit(
        _ file: FileState, _ row: Resource, _ version: Version, _ reading: Reading
    ) async throws(FileSystemError) -> Bool {
        // Not synced: a power cut that takes it leaves the version, durable since before the answer. The next start finds main's
        // copy with the very bytes that the version's digest says, or the object: it knows by that that they were acknowledged.
        let done = try await catalogue.changeLater(
            .processCrash,
            .commitUpload(version, main: reading.seen, seen: row, now: currentTime()) {
                (file.content { $0.uploadCommitting(reading.stamp) }, file.hasNewTimes(since: reading.times))
            })
        guard let replaces = done.replaces else { return false }
        pass("upload.committed")
        if replaces || done.isStillChanging { catalogue.work.wake() }
        // Main's copy has other bytes by now: the version alone must tell.
        if done.isStillChanging { try await catalogue.becomesDurable() }
        if let copy = done.copy { tree.unsynced.note(copy) }
        file.content { $0.uploadCommitted(reading.stamp, reading.seen) }
        return true
    }

    /// Main failed to write what programs wrote, so nobody knows what was read for the upload (I13).
    ///
    /// Nothing is sent, the last good version stays the file, and the copy is kept aside. No later sync of it proves anything.
    func dropUnwritten(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor
    ) async throws(FileSystemError) -> FileSystemError {
        file.content { $0.mainLostData() }
        try await catalogue.changeLater(.powerLoss, .dropUnwritten(row, now: currentTime()))
        if let row = try? catalogue.row(file.id) { try tree.setAside(descriptor, of: row, .notWritten) }
        catalogue.work.wake()
        files.contentChanged(row.id)
        return .mainLostData
    }

    /// Whether main has what programs wrote, as far as the kernel knows (I13): what was read may else be something older.
    func hasKeptWrites(_ descriptor: Descriptor) -> Bool {
        do throws(FileSystemError) { try reach("upload.main") } catch { return false }
        return !hasFailedWrites(descriptor)
    }

    /// Has the catalogue's log synced; opens the barrier when a power cut cannot take the version's row any more.
    ///
    /// An object without a row would be nobody's. The failure is kept for whoever finds the barrier closed for good.
    private func syncLog(_ isOnRecord: WriteAheadBarrier, _ failure: OneShot<FileSystemError?>) {
        do throws(FileSystemError) { try reach("upload.record") } catch {
            failure.decide(error)
            return isOnRecord.decide(isDurable: false)
        }
        catalogue.whenDurable { error in
            failure.decide(error)
            isOnRecord.decide(isDurable: error == nil)
        }
    }

    /// Before it is read: what backup storage cannot take is known by its size.
    func refuseTooLarge(_ size: Int64) throws(ObjectStoreError) {
        guard size > store.largestObject else { return }
        throw .rejected(
            .entityTooLarge,
            message: "the file has \(size) bytes, and backup storage takes \(store.largestObject) at most")
    }

    /// A private copy of the content, made while writers are held off, and the count of changes it has.
    private func stillCopy(
        _ file: FileState, _ descriptor: Descriptor
    ) async throws(FileSystemError) -> (descriptor: Descriptor, stamp: Content<Descriptor>.Stamp) {
        let copy = try main.createNameless("still")
        let outcome = await BulkWork.run { () throws(FileSystemError) -> Content<Descriptor>.Stamp in
            try file.contentGate.exclusive { () throws(FileSystemError) in
                // Counts after a write that is already done may still come; they only cause one more upload.
                let stamp = file.content { $0.stamp }
                try self.main.copyContent(from: descriptor, to: copy)
                return stamp
            }
        }
        return (copy, try outcome.get())
    }

    /// The row keeps the truth: what failed, and when it is tried again.
    func noteFailure(_ file: FileState, _ error: FileSystemError) async {
        let id = file.id
        logger.error(
            "a file could not be backed up", metadata: ["inode": "\(id.rawValue)", "error": "\(error)"])
        do throws(FileSystemError) {
            try await catalogue.changeLater(
                .processCrash,
                .noteUploadFailure(id, error: "\(error)", now: currentTime()) { [health] in health.delay(attempts: $0) }
            )
        } catch {
            counters.add(\.catalogueFailures)
            logger.error("the catalogue could not record a failure", metadata: ["error": "\(error)"])
        }
        catalogue.work.wake()
    }
}
