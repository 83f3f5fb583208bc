// Open, read, write, close. Reading and writing an open main copy never waits for anything but the local disk; whatever
// needs backup storage is `async`.

import Catalogue
import Glibc
import ObjectStorage

extension BackupFileSystem {
    /// What an open found.
    package enum Opened: Sendable {
        case ready(FileHandle)
        /// The main copy may not be what the row says: `verify` it before anything is read.
        case mustVerify(FileHandle)
    }

    /// Opens a file (Read.1 and Read.2).
    ///
    /// A missing main copy is not brought back before it is read or written. `truncating` empties the file; its close backs that up.
    package func open(_ id: ResourceID, writing: Bool, truncating: Bool) throws(FileSystemError) -> Opened {
        let row = try liveRow(id)
        guard row.kind == .file else { throw row.kind == .directory ? .catalogue(.isDirectory) : .invalid }
        var mustVerify = false
        let file: FileState
        if let known = files.acquireIfUsed(id) {
            file = known
        } else {
            let found = try openMain(row)
            mustVerify = found.mustVerify && !truncating
            file = files.acquire(id) { FileState(row, descriptor: found.descriptor) }
        }
        let handle = FileHandle(file: file, isWritable: writing)
        if writing { file.state.withLock { $0.writers += 1 } }
        do throws(FileSystemError) {
            if truncating { try truncateOpen(handle, to: 0) }
        } catch {
            close(handle)
            throw error
        }
        return mustVerify ? .mustVerify(handle) : .ready(handle)
    }

    /// Opens the main copy if the row says there is one, and compares it with the row.
    private func openMain(_ row: Resource) throws(FileSystemError) -> (descriptor: Descriptor?, mustVerify: Bool) {
        guard row.inMain, row.status != .deleted else { return (nil, false) }
        let found = try atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
            try main.openFile(directory, name, writing: false)
        }
        guard let descriptor = found ?? nil else {
            // Read.3: the row says main, and main does not have it.
            noteMissing(row)
            return (nil, false)
        }
        if row.needsUpload || row.status == .creating { return (descriptor, false) }
        let status = try descriptor.status()
        let agrees =
            Int64(status.st_size) == row.size && UInt64(status.st_ino) == row.mainInode
            && Nanoseconds(status.st_mtim) == row.mainModified
        return (descriptor, !agrees)
    }

    func noteMissing(_ row: Resource) {
        logger.warning("the main copy of a file is missing", metadata: ["inode": "\(row.id.rawValue)"])
        record("Read.3") { writer throws(CatalogueError) in try writer.markNotInMain(row.id) }
    }

    /// Compares a main copy with the checksum in its row.
    ///
    /// One that agrees is kept. One that does not is set aside and counts as missing, if backup has the file; if it
    /// does not, the copy is all there is and is kept and backed up.
    package func verify(_ handle: FileHandle) async throws(FileSystemError) {
        let file = handle.file
        guard let descriptor = file.descriptor, !file.needsUpload else { return }
        let row = try liveRow(file.id)
        guard let version = try storedVersion(of: row), row.inBackup else {
            return record("Read.2") { writer throws(CatalogueError) in
                try writer.markNeedsUpload(row.id, due: currentTime())
            }
        }
        let status = try descriptor.status()
        if Int64(status.st_size) == version.size,
            let digests = try? ContentDigests(ofFile: descriptor.number, length: version.size),
            digests.sha256 == version.sha256
        {
            return record("Read.2") { writer throws(CatalogueError) in
                try writer.markMainCopy(
                    row.id, inode: UInt64(status.st_ino), modified: Nanoseconds(status.st_mtim))
            }
        }
        try dropDamagedCopy(file, descriptor, row)
    }

    private func dropDamagedCopy(
        _ file: FileState, _ descriptor: Descriptor, _ row: Resource
    ) throws(FileSystemError) {
        _ = try atLocation(of: row.id) { (directory, name) throws(FileSystemError) in
            let inode = try descriptor.status().st_ino
            guard try main.status(directory, name)?.st_ino == inode else { return }
            let asideName = asideName(name)
            _ = try main.setAside(directory, name, as: asideName)
            counters.add(\.setAside)
            logger.error(
                "a damaged main copy was set aside",
                metadata: ["inode": "\(row.id.rawValue)", "aside": "\(asideName)"])
        }
        file.state.withLock { state in
            if state.descriptor === descriptor { state.descriptor = nil }
        }
        noteMissing(row)
    }

    // MARK: Writing

    /// Announces a write: the row must say that main is ahead of backup before main is.
    ///
    /// `endWrite` must follow.
    func beginWrite(_ file: FileState) throws(FileSystemError) {
        let isMarked = file.state.withLock { state in
            state.changes += 1
            return state.isMarked
        }
        if !isMarked { try mark(file) }
    }

    /// The write has touched the file (or failed to): an upload that overlapped it does not count.
    func endWrite(_ file: FileState) throws(FileSystemError) {
        let isMarked = file.state.withLock { state in
            state.changes += 1
            return state.isMarked
        }
        if !isMarked { try mark(file) }
    }

    private func mark(_ file: FileState) throws(FileSystemError) {
        let id = file.id
        try change(.processCrash) { writer throws(CatalogueError) in try writer.markNeedsUpload(id, due: nil) }
        file.state.withLock { $0.isMarked = true }
    }

    /// Writes to the main copy, which must be open.
    ///
    /// `body` is given its descriptor and returns the bytes written or a negative errno.
    package func write(_ file: FileState, _ body: (Int32) -> Int) throws(FileSystemError) -> Int {
        guard let descriptor = file.descriptor else { throw .inNoStorage }
        try beginWrite(file)
        let count = file.contentGate.shared { body(descriptor.number) }
        try endWrite(file)
        guard count >= 0 else { throw .main(errno: Int32(-count), during: "write") }
        return count
    }

    /// Changes the length of an open file; its close backs that up.
    package func truncateOpen(_ handle: FileHandle, to size: Int64) throws(FileSystemError) {
        let file = handle.file
        if file.descriptor == nil {
            guard size == 0 else { throw .inNoStorage }
            try replaceByEmptyFile(file)
        }
        guard let descriptor = file.descriptor else { throw .inNoStorage }
        try beginWrite(file)
        let result = file.contentGate.shared { ftruncate(descriptor.number, off_t(size)) }
        let code = errno
        try endWrite(file)
        guard result == 0 else { throw .main(errno: code, during: "truncate") }
    }

    /// A file that is emptied needs no recovery: main gets a new, empty copy.
    private func replaceByEmptyFile(_ file: FileState) throws(FileSystemError) {
        let row = try liveRow(file.id)
        let made: Void? = try atLocation(of: file.id) { (directory, name) throws(FileSystemError) in
            let descriptor = try createInMain(directory, name, row)
            file.state.withLock { $0.descriptor = descriptor }
        }
        guard made != nil else { throw .catalogue(.noSuchResource) }
    }

    /// truncate(2): the new version is in backup before this returns.
    package func truncate(_ id: ResourceID, to size: Int64) async throws(FileSystemError) {
        let handle: FileHandle
        switch try open(id, writing: true, truncating: false) {
        case .ready(let ready): handle = ready
        case .mustVerify(let unverified):
            handle = unverified
            try await verify(unverified)
        }
        defer { close(handle) }
        if handle.file.descriptor == nil, size > 0 { try await recover(handle.file) }
        if let descriptor = handle.file.descriptor, try descriptor.status().st_size == off_t(size) { return }
        try truncateOpen(handle, to: size)
        try await flush(handle)
    }

    // MARK: Closing

    /// close(2) and fsync(2): returns when backup holds what the file holds now (Write.4, Write.5).
    package func flush(_ handle: FileHandle) async throws(FileSystemError) {
        guard handle.isWritable, handle.file.needsUpload else { return }
        let size = (try? handle.file.descriptor?.status().st_size) ?? 0
        try await backUp(handle.file, deadline: deadline(size: Int64(size)))
    }

    /// Whether a flush of this handle has nothing to do.
    package func isClean(_ handle: FileHandle) -> Bool { !handle.isWritable || !handle.file.needsUpload }

    /// The last close of a handle.
    ///
    /// What is not in backup yet is handed to the background.
    package func close(_ handle: FileHandle) {
        let file = handle.file
        let isUnwatched = file.state.withLock { state in
            if handle.isWritable { state.writers -= 1 }
            return state.writers == 0 && state.changes > state.backedUp
        }
        if isUnwatched, handle.isWritable {
            record("Write.retry") { writer throws(CatalogueError) in
                guard let row = try writer.reader.resource(file.id), row.status != .deleted else { return }
                try writer.markNeedsUpload(file.id, due: currentTime())
            }
            background.wake()
        }
        files.release(file)
    }
}
