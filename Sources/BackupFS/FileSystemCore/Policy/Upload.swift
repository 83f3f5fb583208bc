// The second half of the write scenario: Write.4 and Write.5. One upload of a file runs at a time; closes that come
// meanwhile wait for it, or for the next one if it does not cover what they wrote.

import CLinux
import Catalogue
import Glibc
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
        if try liveRow(file.id).status != .deleted { try await verifyOwnership(deadline: deadline) }
        // A file that others keep writing is read again, and at last while they are held off.
        for attempt in 1...4 {
            let seen = file.state.withLock { $0.changes }
            let row = try liveRow(file.id)
            guard row.status != .deleted, let descriptor = try await contentToUpload(file, row) else {
                return file.state.withLock { $0.backedUp = max($0.backedUp, seen) }
            }
            if try await uploadOnce(file, row, descriptor, isLastAttempt: attempt == 4, deadline: deadline) { return }
        }
        throw .contentKeepsChanging
    }

    /// The main copy; nil if there is none and so nothing that backup does not have.
    private func contentToUpload(_ file: FileState, _ row: Resource) async throws(FileSystemError) -> Descriptor? {
        if let descriptor = file.descriptor { return descriptor }
        let found = try atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
            try main.openFile(directory, name, writing: false)
        }
        guard let found else { return nil }
        if let found { return found }
        guard row.inBackup else {
            noteMissing(row)
            throw .inNoStorage
        }
        // What was written and not backed up is gone with the main copy; the last good version is the file.
        try await changeLater(.processCrash) { writer throws(CatalogueError) in
            try writer.markNotInMain(row.id)
            try writer.settleUpload(row.id, now: currentTime())
        }
        contentChanged(row.id)
        logger.error(
            "main lost a change before it was backed up; the version in backup is the file now",
            metadata: ["inode": "\(row.id.rawValue)"])
        return nil
    }

    /// One upload; false if the content changed meanwhile.
    private func uploadOnce(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, isLastAttempt: Bool,
        deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        let snapshot = try isLastAttempt ? stillCopy(file, descriptor) : nil
        let source = snapshot?.descriptor ?? descriptor
        let stamp = snapshot?.stamp ?? file.state.withLock { $0.changes }
        let before = try source.status()
        let size = Int64(before.st_size)
        var seen = CatalogueWriter.MainCopy(try descriptor.status())
        seen.size = size
        let digests: ContentDigests
        do throws(ObjectStoreError) {
            digests = try ContentDigests(ofFile: source.number, length: size, store.digestPlan(length: size))
        } catch {
            // A file that has become shorter is read again.
            if try source.status().st_size < before.st_size { return false }
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
        // Durably: after a power cut nobody else would know of the object.
        let version: Version
        do throws(FileSystemError) {
            version = try await changeLater(.powerLoss) { writer throws(CatalogueError) in
                try writer.beginUpload(new, now: currentTime()) {
                    $0.key == ObjectKey.make(path: path, version: $0.id, limit: longestKey)
                }
            }
        } catch .catalogue(.noSuchResource) {
            // Deleted in this moment.
            return false
        }
        try reach("upload.begun")
        let attributes = ObjectMetadata.make(
            row, path: path, version: version, modified: seen.modified)
        // The local copy is synced while the bytes travel.
        async let synced = syncMain(descriptor)
        var failure: ObjectStoreError?
        do throws(ObjectStoreError) {
            try await store.put(
                version.key, .file(descriptor: source.number, length: size, digests: digests), attributes,
                deadline: deadline)
        } catch {
            failure = error
        }
        let isSynced = await synced
        try reach("upload.sent")
        noteStore(failure)
        let isSame = snapshot != nil || file.state.withLock { $0.changes } == stamp
        guard isSame, failure == nil else {
            // The next attempt with this content takes the version up again; one with another content abandons it.
            if let failure, failure != .contentChanged(key: version.key) || isLastAttempt { throw .backup(failure) }
            return false
        }
        // As it was before it was read: what changes it behind the mount since then is noticed at the next open.
        try await commit(file, row, version, descriptor, seen, stamp: stamp, isSynced: isSynced)
        return true
    }

    /// Write.5: the row says backup and `created`.
    private func commit(
        _ file: FileState, _ row: Resource, _ version: Version, _ descriptor: Descriptor,
        _ copy: CatalogueWriter.MainCopy, stamp: UInt64, isSynced: Bool
    ) async throws(FileSystemError) {
        try await changeLater(.powerLoss) { writer throws(CatalogueError) in
            // Decided inside the transaction: a write that comes later marks the row again, after this.
            let isStillChanging = file.state.withLock { state in
                state.isInBackup = true
                if state.changes == stamp { state.isMarked = false }
                return state.changes != stamp
            }
            try writer.commitUpload(
                version, main: isSynced ? copy : nil, seen: row, stillChanging: isStillChanging, now: currentTime())
        }
        pass("upload.committed")
        background.wake()
        if !isSynced {
            // Backup has the content. The main copy is not to be trusted, nor is any later fsync of it (I13).
            file.state.withLock { state in
                state.mainLostData = true
                if state.descriptor === descriptor { state.descriptor = nil }
            }
            if let row = try? liveRow(file.id) { try setAside(descriptor, of: row) }
            throw .mainLostData
        }
        file.state.withLock { state in
            state.backedUp = max(state.backedUp, stamp)
            state.seen = copy
        }
    }

    private func syncMain(_ descriptor: Descriptor) async -> Bool {
        do throws(FileSystemError) { try reach("upload.main") } catch { return false }
        return fdatasync(descriptor.number) == 0
    }

    /// A private copy of the content, made while writers are held off, and the count of changes it has.
    private func stillCopy(
        _ file: FileState, _ descriptor: Descriptor
    ) throws(FileSystemError) -> (descriptor: Descriptor, stamp: UInt64) {
        let name = "still-\(file.id.rawValue)-\(VersionID(now: currentTime()))"
        let copy = try main.createStaged(name)
        main.removeStaged(name)
        return try file.contentGate.exclusive { () throws(FileSystemError) in
            // Counts after a write that is already done may still come; they only cause one more upload.
            let stamp = file.state.withLock { $0.changes }
            try copyContent(from: descriptor, to: copy)
            return (copy, stamp)
        }
    }

    private func copyContent(from source: Descriptor, to target: Descriptor) throws(FileSystemError) {
        var offset: Int64 = 0
        while true {
            let count = backupfs_copy_file_range(source.number, &offset, target.number, 1 << 30)
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
        background.wake()
    }
}
