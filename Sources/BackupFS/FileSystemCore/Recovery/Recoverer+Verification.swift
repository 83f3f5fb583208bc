// Read.2 for a main copy that does not look like the one the row describes (another inode, size or time): its content
// decides. One that agrees is kept. One that does not is set aside and counts as missing if backup has the file; if
// backup does not, the copy is all there is, and is backed up. One that was recovered and never vouched for is nobody's
// data but backup's: if a power cut has torn it, it is removed.

import Catalogue
import Glibc
import Linux
import ObjectStorage

extension Recoverer {
    /// Compares a main copy with the checksum in its row; returns at once if that is not needed.
    func verify(_ file: FileState) async throws(FileSystemError) {
        let size = (try? file.descriptor?.status().st_size) ?? 0
        let deadline = settings.deadline(size: Int64(size))
        // Whoever opened the file meanwhile may have brought another copy: the one that is to be used is compared.
        while !file.content({ $0.needsNoVerification }) {
            try await files.once(file, .verification, unless: \.needsNoVerification, deadline: deadline) {
                () async throws(FileSystemError) in try await self.compare(file, deadline: deadline)
            }
        }
    }

    /// Compares a main copy with the checksum in its row before the first change of it.
    ///
    /// Its size and time say nothing about a bit that has rotten; a change of one byte would upload all of it, and remove
    /// the last good version. It costs one reading of the file, of which its upload takes another.
    func compareBeforeChange(_ file: FileState) async throws(FileSystemError) {
        let size = (try? file.descriptor?.status().st_size) ?? 0
        let deadline = settings.deadline(size: Int64(size))
        try await files.once(file, .verification, unless: \.needsNoComparison, deadline: deadline) {
            () async throws(FileSystemError) in try await self.compare(file, deadline: deadline)
        }
    }

    private func compare(
        _ file: FileState, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) {
        guard let (descriptor, stamp) = file.content({ $0.comparison }) else { return }
        let row = try catalogue.row(file.id)
        var status = try descriptor.status()
        guard row.inBackup, let version = try catalogue.storedVersion(of: row) else {
            guard try await mayBeUploaded(descriptor, of: row, deadline: deadline) else {
                return try dropDamagedCopy(file, descriptor, row, stamp: stamp)
            }
            file.content { $0.uploadWanted() }
            return catalogue.recordWork("Read.2", .needsUpload(row.id, due: currentTime()))
        }
        guard !tree.unsynced.isDoubted(row, status), try await hasContent(descriptor, of: version, deadline: deadline)
        else { return try dropDamagedCopy(file, descriptor, row, stamp: stamp) }
        if Nanoseconds(status.st_mtim) != row.modified {
            try giveTime(row.modified, to: descriptor, of: file, at: stamp)
            status = try descriptor.status()
        }
        // It was read out of the page cache, perhaps; that it is on the disk, too, only a sync says.
        if !row.describes(status) { try tree.noteCopy(descriptor, of: row) }
        file.content { $0.copyCompared(.init(status)) }
    }

    /// A power cut may have taken from main's copy what the row knows; nothing happens if the file was changed since `stamp`.
    private func giveTime(
        _ time: Nanoseconds, to copy: Descriptor, of file: FileState, at stamp: Content<Descriptor>.Stamp
    ) throws(FileSystemError) {
        try file.contentGate.exclusive { () throws(FileSystemError) in
            guard file.content({ $0.stamp }) == stamp else { return }
            try main.setAttributes(of: copy, mode: nil, uid: nil, gid: nil, accessed: nil, modified: time.timespec)
        }
    }

    /// `stamp` is the count of changes that the content was compared at: one that has been written since is kept.
    private func dropDamagedCopy(
        _ file: FileState, _ descriptor: Descriptor, _ row: Resource, stamp: Content<Descriptor>.Stamp
    ) throws(FileSystemError) {
        guard file.content({ $0.copyRefuted(at: stamp) }) else { return }
        let status = try descriptor.status()
        // With another time than a recovery gave it, it may be somebody's.
        if row.isUnsynced(status), Nanoseconds(status.st_mtim) == row.modified {
            try tree.removeTorn(descriptor, of: row)
        } else {
            try tree.setAside(descriptor, of: row, .damaged)
        }
    }
}

extension StorageStep {
    /// Whether a file's content is the version's; false also if it cannot be read.
    func hasContent(
        _ copy: Descriptor, of version: Version, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        guard try Int64(copy.status().st_size) == version.size else { return false }
        do throws(ObjectStoreError) {
            return try await BulkWork.digests(
                of: copy, length: version.size, .content, deadline: deadline
            ) { [catalogue] in catalogue.work.isStopped }.sha256 == version.sha256
        } catch .deadlineExceeded {
            throw .backupTimedOut
        } catch {
            return false
        }
    }

    /// Whether a main copy may take the place of an object that backup lost: not one that a power cut has torn.
    func mayBeUploaded(
        _ copy: Descriptor, of row: Resource, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
        let status = try copy.status()
        guard row.isUnsynced(status), !row.needsUpload, !tree.unsynced.isKnown(row, status),
            let version = try catalogue.storedVersion(of: row)
        else { return true }
        return try await hasContent(copy, of: version, deadline: deadline)
    }
}
