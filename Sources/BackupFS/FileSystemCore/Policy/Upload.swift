// The second half of the write scenario: Write.4 and Write.5. One upload of a file runs at a time; closes that come
// meanwhile wait for it, or for the next one if it does not cover what they wrote.

import Catalogue
import Glibc
import Linux
import ObjectStorage

extension BackupFileSystem {
    /// Returns when backup holds everything that the file had when this was called.
    func backUp(_ file: FileState, deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        let wanted = file.state.withLock { $0.changes }
        while true {
            let (work, mustStart, covers) = file.state.withLock { state -> (SharedWork?, Bool, Bool) in
                if state.backedUp >= wanted { return (nil, false, true) }
                if let running = state.upload { return (running, false, false) }
                let work = SharedWork()
                state.upload = work
                return (work, true, true)
            }
            guard let work else { return }
            if mustStart { startUpload(file, work, deadline: deadline) }
            guard let outcome = await work.wait(until: deadline) else { throw .backupTimedOut }
            // An upload that began before our change says nothing about it, neither good nor bad.
            if covers { return try outcome.get() }
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
                await noteUploadFailure(file, error)
                outcome = .failure(error)
            }
            file.state.withLock { $0.upload = nil }
            files.release(file)
            work.finish(outcome)
        }
    }

    /// Backs up one consistent content of the file, as a new object.
    private func upload(_ file: FileState, deadline: ContinuousClock.Instant) async throws(FileSystemError) {
        if file.state.withLock({ $0.mainLostData }) { throw .mainLostData }
        let first = try liveRow(file.id)
        if first.status != .deleted { try await verifyOwnership(deadline: deadline) }
        // A file that others keep writing is read again, and at last while they are held off.
        for attempt in 1...4 {
            let seen = file.state.withLock { $0.changes }
            let row = attempt == 1 ? first : try liveRow(file.id)
            guard row.status != .deleted,
                let descriptor = try await contentToUpload(file, row, deadline: deadline)
            else {
                return file.state.withLock { $0.backedUp = max($0.backedUp, seen) }
            }
            if try await uploadOnce(file, row, descriptor, isLastAttempt: attempt == 4, deadline: deadline) { return }
        }
        throw .contentKeepsChanging
    }

    /// The main copy; nil if there is none and so nothing that backup does not have.
    private func contentToUpload(
        _ file: FileState, _ row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Descriptor? {
        if let descriptor = file.descriptor { return descriptor }
        guard let found = try mainCopy(row) else { return nil }
        if let found { return found }
        let stamp = file.state.withLock { $0.changes }
        if let descriptor = try await fetchBegunUpload(file, row, deadline: deadline) { return descriptor }
        noteMissing(row)
        guard row.inBackup else { throw .inNoStorage }
        // The last good version is the file.
        try await noteLostChange(file, stamp: stamp)
        contentChanged(row.id)
        return nil
    }

    /// Brings back a content whose upload was begun, if it arrived: its close may have returned, and only the commit that
    /// said so been lost with the power.
    private func fetchBegunUpload(
        _ file: FileState, _ row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Descriptor? {
        let begun = try read { reader throws(CatalogueError) in
            try reader.versions(of: row.id).last { $0.state == .uploading }
        }
        guard let begun else { return nil }
        do throws(FileSystemError) {
            try await fetchOnce(file, row, begun, deadline: deadline)
        } catch .backup(.notFound) {
            return nil
        } catch .backup(.corrupted) {
            return nil
        }
        return file.descriptor
    }

    /// One upload; false if the content changed meanwhile.
    private func uploadOnce(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, isLastAttempt: Bool,
        deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        let snapshot = try isLastAttempt ? await stillCopy(file, descriptor) : nil
        let source = snapshot?.descriptor ?? descriptor
        let stamp = snapshot?.stamp ?? file.state.withLock { $0.changes }
        let before = try source.status()
        let size = Int64(before.st_size)
        var seen = CatalogueWriter.MainCopy(try descriptor.status())
        seen.size = size
        let digests: ContentDigests
        do throws(ObjectStoreError) {
            try refuseTooLarge(size)
            digests = try await BulkWork.digests(
                of: source, length: size, store.digestPlan(length: size), deadline: deadline
            ) { [background] in background.isStopped }
        } catch .localFile(let code) {
            // A file that has become shorter is read again.
            if try source.status().st_size < before.st_size { return false }
            throw .backup(.localFile(errno: code))
        } catch {
            throw .backup(error)
        }
        guard let path = try read({ reader throws(CatalogueError) in try reader.path(of: row.id) }) else {
            return false
        }
        let id = VersionID(now: currentTime())
        let longestKey = store.longestKey
        let new = Version(
            id: id, resource: row.id, key: ObjectKey.make(path: path, version: id, limit: longestKey), size: size,
            sha256: digests.sha256,
            state: .uploading)
        // Before the request: after a kill nobody else would know of the object.
        let (version, leavesWork): (Version, Bool)
        do throws(FileSystemError) {
            (version, leavesWork) = try await changeLater(.processCrash) { writer throws(CatalogueError) in
                try writer.beginUpload(new, now: currentTime()) {
                    $0.key == ObjectKey.make(path: path, version: $0.id, limit: longestKey)
                }
            }
        } catch .catalogue(.noSuchResource) {
            // Deleted in this moment.
            return false
        }
        if leavesWork { wakeBackground() }
        try reach("upload.begun")
        let attributes = ObjectMetadata.make(
            row, path: path, version: version, modified: seen.modified)
        // What a power cut must not take is synced while the bytes travel.
        let isOnRecord = WriteAheadBarrier()
        async let durability = becomeDurable(file, descriptor, isOnRecord)
        var failure: ObjectStoreError?
        do throws(ObjectStoreError) {
            try await store.put(
                version.key,
                .file(descriptor: source.number, length: size, digests: digests, after: isOnRecord), attributes,
                deadline: deadline)
        } catch {
            failure = error
        }
        let durable = await durability
        try reach("upload.sent")
        let isMainWritten = try durable.get()
        noteStore(failure)
        let isSame = snapshot != nil || file.state.withLock { $0.changes } == stamp
        guard isSame, failure == nil else {
            // The next attempt with this content takes the version up again; one with another content abandons it.
            if let failure, failure != .contentChanged(key: version.key) || isLastAttempt { throw .backup(failure) }
            return false
        }
        // As it was before it was read: what changes it behind the mount since then is noticed at the next open.
        guard isMainWritten else { throw try await dropUnwritten(file, row, descriptor) }
        try await commit(file, row, version, seen, stamp: stamp)
        return true
    }

    /// Write.5: the row says backup and `created`.
    private func commit(
        _ file: FileState, _ row: Resource, _ version: Version, _ copy: CatalogueWriter.MainCopy, stamp: UInt64
    ) async throws(FileSystemError) {
        // Not synced: a power cut that takes it leaves the version, durable since before the answer, and main's copy with
        // the very bytes that the version's digest says. The next start knows by that that they were acknowledged.
        let (leavesWork, isStillChanging) = try await changeLater(.processCrash) { writer throws(CatalogueError) in
            // Decided inside the transaction: a write that comes later marks the row again, after this.
            let isStillChanging = file.state.withLock { state in
                state.isInBackup = true
                if state.changes == stamp { state.isMarked = false }
                return state.changes != stamp
            }
            let replaces = try writer.commitUpload(
                version, main: copy, seen: row, stillChanging: isStillChanging, now: currentTime())
            return (replaces || isStillChanging, isStillChanging)
        }
        pass("upload.committed")
        if leavesWork { wakeBackground() }
        // Main's copy has other bytes by now: the version alone must tell.
        if isStillChanging { try await catalogueBecomesDurable() }
        file.state.withLock { state in
            state.backedUp = max(state.backedUp, stamp)
            state.seen = copy
            if !isStillChanging { state.isCompared = true }
        }
    }

    /// Main failed to write what programs wrote, so nobody knows what was read for the upload (I13).
    ///
    /// The new version goes, the last good one stays the file, and the copy is kept aside. No later sync of it proves anything.
    private func dropUnwritten(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor
    ) async throws(FileSystemError) -> FileSystemError {
        file.state.withLock { state in
            state.mainLostData = true
            if state.descriptor === descriptor { state.descriptor = nil }
        }
        try await changeLater(.powerLoss) { writer throws(CatalogueError) in
            try writer.abandonUploads(of: row.id, now: currentTime())
            // A file that backup never had stays a leftover: it is nowhere.
            if row.inBackup { try writer.settleUpload(row.id, now: currentTime()) }
            try writer.markNotInMain(row.id)
        }
        if let row = try? liveRow(file.id) { try setAside(descriptor, of: row, .notWritten) }
        wakeBackground()
        contentChanged(row.id)
        return .mainLostData
    }

    /// Syncs the catalogue's log, the main copy, and its name if it is new; whether the main copy could be.
    ///
    /// The barrier opens when a power cut cannot take the version's row any more: an object without one would be nobody's.
    private func becomeDurable(
        _ file: FileState, _ descriptor: Descriptor, _ isOnRecord: WriteAheadBarrier
    ) async -> Result<Bool, FileSystemError> {
        do throws(FileSystemError) {
            try reach("upload.record")
            try await catalogueBecomesDurable()
        } catch {
            isOnRecord.decide(isDurable: false)
            return .failure(error)
        }
        isOnRecord.decide(isDurable: true)
        do throws(FileSystemError) { try reach("upload.main") } catch { return .success(false) }
        guard fdatasync(descriptor.number) == 0 else { return .success(false) }
        guard file.state.withLock({ $0.isNameNew }) else { return .success(true) }
        let isSynced = try? atLocation(of: file.id) { (directory, _) throws(FileSystemError) in
            fsync(directory.number) == 0
        }
        file.state.withLock { $0.isNameNew = false }
        // Without a name (any more) there is nothing to lose.
        return .success(isSynced ?? true)
    }

    /// Before it is read: what backup storage cannot take is known by its size.
    private func refuseTooLarge(_ size: Int64) throws(ObjectStoreError) {
        guard size > store.largestObject else { return }
        throw .rejected(
            code: "EntityTooLarge",
            message: "the file has \(size) bytes, and backup storage takes \(store.largestObject) at most")
    }

    /// A private copy of the content, made while writers are held off, and the count of changes it has.
    private func stillCopy(
        _ file: FileState, _ descriptor: Descriptor
    ) async throws(FileSystemError) -> (descriptor: Descriptor, stamp: UInt64) {
        let name = "still-\(file.id.rawValue)-\(VersionID(now: currentTime()))"
        let copy = try main.createStaged(name)
        main.removeStaged(name)
        let outcome = await BulkWork.run { () throws(FileSystemError) -> UInt64 in
            try file.contentGate.exclusive { () throws(FileSystemError) in
                // Counts after a write that is already done may still come; they only cause one more upload.
                let stamp = file.state.withLock { $0.changes }
                try Self.copyContent(from: descriptor, to: copy)
                return stamp
            }
        }
        return (copy, try outcome.get())
    }

    private static func copyContent(from source: Descriptor, to target: Descriptor) throws(FileSystemError) {
        var offset: Int64 = 0
        while true {
            let count = copyRange(from: source.number, at: &offset, to: target.number, length: 1 << 30)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .main(errno: errno, during: "copy_file_range") }
            if count == 0 { return }
        }
    }

    /// The row keeps the truth: what failed, and when it is tried again.
    func noteUploadFailure(_ file: FileState, _ error: FileSystemError) async {
        let id = file.id
        logger.error(
            "a file could not be backed up", metadata: ["inode": "\(id.rawValue)", "error": "\(error)"])
        do throws(FileSystemError) {
            try await changeLater(.processCrash) { writer throws(CatalogueError) in
                guard let row = try writer.reader.resource(id), row.status != .deleted, row.needsUpload else { return }
                let attempts = try writer.reader.attempts(id)
                let now = currentTime()
                try writer.recordFailure(
                    id, error: "\(error)", next: now + self.background.delay(attempts: attempts), now: now)
            }
        } catch {
            counters.add(\.catalogueFailures)
            logger.error("the catalogue could not record a failure", metadata: ["error": "\(error)"])
        }
        wakeBackground()
    }
}
