// Open, read, write, close. Reading and writing an open main copy never waits for anything but the local disk; whatever
// needs backup storage is `async`.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// What an open found.
    package enum Opened: Sendable {
        case ready(FileHandle)
        /// Before it is used: `prepare` it.
        ///
        /// The main copy may not be what the row says, or is missing and seems to be empty: the kernel never reads an empty
        /// file, so no read would bring it back, or tell that no storage has it. With `isUndecided` main has lost what backup
        /// may have got or not: what is known of its size is a guess.
        case mustPrepare(FileHandle, isUndecided: Bool)

        package var handle: FileHandle {
            switch self {
            case .ready(let handle), .mustPrepare(let handle, _): handle
            }
        }
    }

    /// Opens a file (Read.1 and Read.2).
    ///
    /// A missing main copy is not brought back before it is read or written. `truncating` empties the file; its close backs that up.
    package func open(_ id: ResourceID, writing: Bool, truncating: Bool) throws(FileSystemError) -> Opened {
        try admit(id)
        let file = files.acquire(id)
        // O_TRUNC changes the file through a handle that cannot write: its close answers for that.
        let changes = writing || truncating
        let handle = FileHandle(file: file, isWritable: changes)
        if changes { file.content { $0.writerCame() } }
        do throws(FileSystemError) {
            // Read while the file is in use: nobody's upload can end between this and `load`.
            let (known, path) = try catalogue.resourceAndPath(id)
            guard let row = known else { throw .catalogue(.noSuchResource) }
            guard row.kind == .file else { throw row.kind == .directory ? .catalogue(.isDirectory) : .invalid }
            file.load(row)
            if file.descriptor == nil, try shouldHaveMainCopy(row) {
                if let path, let copy = main.openFile(path, as: row) {
                    file.offer(copy, .verified)
                } else {
                    try openMain(file, row)
                }
            } else {
                file.doubt(row, tree.unsynced)
            }
            if truncating { try truncateOpen(handle, to: 0) }
            let isUndecided = row.needsUpload && file.descriptor == nil
            let isReady = file.content { $0.copy == nil ? row.size > 0 && row.inBackup : $0.trust > .none }
            return isReady && !isUndecided ? .ready(handle) : .mustPrepare(handle, isUndecided: isUndecided)
        } catch {
            close(handle)
            throw error
        }
    }

    /// Whether main's copy, if it has one, is the file; a new file's row may say so later than it is there (Write.3).
    private func shouldHaveMainCopy(_ row: Resource) throws(FileSystemError) -> Bool {
        guard row.status != .deleted else { return false }
        if row.inMain { return true }
        guard row.status == .creating else { return false }
        return try !catalogue.isUndecided(row)
    }

    /// Refuses one file more than the process has descriptors for: uploads and recoveries need some, too.
    func admit(_ id: ResourceID?) throws(FileSystemError) {
        guard files.hasRoom(for: id, most: settings.mostOpenFiles) else {
            logger.error(
                "too many files are open: raise the limit of open files (LimitNOFILE, ulimit -n) and mount again",
                metadata: ["most": "\(settings.mostOpenFiles)"])
            throw .main(errno: ENFILE, during: "open")
        }
    }

    /// What `open` asked for: an empty file's main copy, one that is what the row says, and a content that is decided.
    package func prepare(_ handle: FileHandle) async throws(FileSystemError) {
        try await recoverer.verify(handle.file)
        guard handle.file.descriptor == nil else { return }
        let row = try catalogue.row(handle.file.id)
        if row.size == 0 || !row.inBackup || row.needsUpload { try await recoverer.recover(handle.file) }
    }

    /// Opens the main copy, with its name held still, and compares it with the row.
    private func openMain(_ file: FileState, _ row: Resource) throws(FileSystemError) {
        guard let found = try tree.mainCopy(row) else { return }
        guard let descriptor = found else {
            // Read.3: the row says main, and main does not have it.
            return tree.noteMissing(row)
        }
        let status = try descriptor.status()
        let isKnown = row.describes(status) || tree.unsynced.isKnown(row, status)
        file.offer(descriptor, file.needsUpload || isKnown ? .verified : .none)
    }

    /// Brings a missing main copy back (Read.4 to Read.7); returns at once if it is there.
    package func recover(_ file: FileState) async throws(FileSystemError) { try await recoverer.recover(file) }

    // MARK: Writing

    /// Whether the file can be changed as it is: its main copy is there, and no rotten bit of it would be backed up with the
    /// change (I3).
    package func isReadyForChange(_ file: FileState) -> Bool {
        file.content { $0.isReadyForChange }
    }

    /// Makes the file ready for a change that keeps some of its content: brings the main copy back, and compares it with the
    /// checksum once before the first change.
    package func prepareForChange(_ file: FileState) async throws(FileSystemError) {
        while !isReadyForChange(file) {
            if file.descriptor == nil {
                try await recoverer.recover(file)
            } else {
                try await recoverer.compareBeforeChange(file)
            }
        }
    }

    /// Announces a write: the row must say that main is ahead of backup before main is.
    ///
    /// `range` are the bytes that it may change. `endWrite` must follow.
    func beginWrite(_ file: FileState, _ range: Range<Int64>) throws(FileSystemError) {
        let mustMark = file.content { $0.writeBegins() }
        file.changes(range)
        guard mustMark else { return }
        do throws(FileSystemError) {
            try mark(file)
        } catch {
            // It does not happen.
            endWrite(file, range)
            throw error
        }
    }

    /// The write has touched the file (or failed to): an upload that overlapped it does not count.
    func endWrite(_ file: FileState, _ range: Range<Int64>) {
        file.changes(range)
        file.content { $0.writeEnded() }
    }

    /// A power cut must not leave a backed-up file's row without the mark: what is in main would pass for what is in backup.
    ///
    /// A writer that comes while another one's mark is on its way to the disk waits for it, too.
    private func mark(_ file: FileState) throws(FileSystemError) {
        let durability: Durability = file.content { $0.isInBackup } ? .powerLoss : .processCrash
        try catalogue.change(durability, .markAhead(file.id))
        file.content { $0.marked() }
        try reach("write.marked")
    }

    /// Writes to the main copy, which must be open.
    ///
    /// `body` is given its descriptor and returns the bytes written, from the first of `range` on, or a negative errno; no
    /// byte out of `range` may change.
    package func write(
        _ file: FileState, _ range: Range<Int64>, _ body: (Int32) -> Int
    ) throws(FileSystemError) -> Int {
        guard let descriptor = file.descriptor else { throw .inNoStorage }
        try beginWrite(file, range)
        let count = file.contentGate.shared { body(descriptor.number) }
        pass("write.main")
        endWrite(file, range)
        guard count >= 0 else { throw .main(errno: Int32(-count), during: "write") }
        if count > 0 { early.wrote(file, range.lowerBound..<(range.lowerBound + Int64(count))) }
        return count
    }

    /// Changes the length of an open file; its close backs that up.
    package func truncateOpen(_ handle: FileHandle, to size: Int64) throws(FileSystemError) {
        let file = handle.file
        let isMissing = file.descriptor == nil
        // Only a file that becomes empty needs nothing of its old content.
        if isMissing, size > 0 { throw .inNoStorage }
        // No byte changes, so there is nothing to back up; the time of modification does change. A copy that nobody has
        // compared says nothing: it may have been cut behind the mount.
        if let descriptor = file.verifiedDescriptor, try descriptor.status().st_size == off_t(size) {
            _ = try setAttributes(file.id, AttributeChanges(modified: .now))
            if size == 0 { early.emptied(file) }
            return
        }
        let range = max(0, size)..<Int64.max
        try beginWrite(file, range)
        let outcome = Result { () throws(FileSystemError) in
            if isMissing {
                try replaceByEmptyFile(file)
                pass("truncate.main")
            }
            // A recovery that was faster has left something to cut off.
            guard let descriptor = file.descriptor else { throw .inNoStorage }
            let result = file.contentGate.shared { ftruncate(descriptor.number, off_t(size)) }
            guard result == 0 else { throw .main(errno: errno, during: "truncate") }
            // Nothing is left that could be wrong.
            if size == 0 { file.content { $0.emptied() } }
        }
        endWrite(file, range)
        try outcome.get()
        if size == 0 { early.emptied(file) } else { early.resized(file, to: size) }
    }

    /// A file that is emptied needs no recovery: main gets a new, empty copy.
    private func replaceByEmptyFile(_ file: FileState) throws(FileSystemError) {
        let row = try catalogue.row(file.id)
        let directory = try tree.atLocation(of: row.id) { (entry) throws(FileSystemError) in entry.directory }
        let staged = try main.stage("empty", for: directory)
        defer { main.removeStaged(staged) }
        try main.setAttributes(
            of: staged.descriptor, mode: try tree.forMain(row).mode, uid: row.uid, gid: row.gid, accessed: nil,
            modified: nil)
        // A recovery that ends meanwhile finds the descriptor and leaves the new copy alone.
        if try !recoverer.placeInMain(file, staged) { file.offer(staged.descriptor, .compared) }
    }

    /// truncate(2): the new version is in backup before this returns.
    package func truncate(_ id: ResourceID, to size: Int64) async throws(FileSystemError) {
        let handle: FileHandle
        switch try open(id, writing: true, truncating: false) {
        case .ready(let ready): handle = ready
        case .mustPrepare(let unprepared, _): handle = unprepared
        }
        defer { close(handle) }
        if size > 0 { try await prepareForChange(handle.file) } else { try await prepare(handle) }
        try truncateOpen(handle, to: size)
        try await flush(handle)
    }

    // MARK: Closing

    /// close(2): returns when backup holds what the file holds now (Write.4, Write.5).
    ///
    /// A handle that cannot write has nothing to answer for.
    package func flush(_ handle: FileHandle) async throws(FileSystemError) {
        if handle.isWritable { try await synchronize(handle) }
    }

    /// fsync(2): returns when backup holds what the file holds now, whoever wrote it.
    package func synchronize(_ handle: FileHandle) async throws(FileSystemError) {
        guard handle.file.needsUpload else { return }
        if settings.whenDown == .fail, let outage = health.outage {
            counters.add(\.uploadsFailed)
            await uploader.noteFailure(handle.file, .backup(outage))
            throw .backup(outage)
        }
        let size = (try? handle.file.descriptor?.status().st_size) ?? 0
        try await uploader.backUp(handle.file, deadline: settings.deadline(size: Int64(size)))
    }

    /// Whether a thread's close of a handle has nothing to answer for: its process has only inherited the descriptor.
    ///
    /// Where the file is mapped for writing nobody can tell.
    package func isBystander(_ thread: Int32, _ handle: FileHandle) -> Bool {
        handle.file.content { $0.mappedCopy } == nil && handle.isBystander(thread)
    }

    /// Whether backup has all that the file holds.
    package func isClean(_ handle: FileHandle) -> Bool {
        !handle.file.needsUpload && handle.file.content { $0.mappedCopy } == nil
    }

    /// Keeps a handle's file in use while a request on it is answered later.
    ///
    /// The handle may be closed before (a program that was killed). `letGo` must follow.
    package func hold(_ handle: FileHandle) { _ = files.acquire(handle.file.id) }

    /// The request is done.
    package func letGo(_ handle: FileHandle) {
        handOver(handle.file)
        files.release(handle.file)
    }

    /// The last close of a handle.
    ///
    /// What is not in backup yet is handed to the background.
    package func close(_ handle: FileHandle) {
        leave(handle)
        if handle.isWritable {
            handle.file.content { $0.writerWent() }
            handOver(handle.file)
        }
        files.release(handle.file)
    }

    /// Hands what nobody can write any more, and backup does not have, to the background.
    func handOver(_ file: FileState) {
        guard file.content({ $0.isForBackground }) else { return }
        catalogue.recordWork("Write.retry", .makeUploadDue(file.id, now: currentTime()))
    }
}
