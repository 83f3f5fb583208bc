// Read.2 for a main copy that does not look like the one the row describes (another inode, size or time): its content
// decides. One that agrees is kept. One that does not is set aside and counts as missing if backup has the file; if
// backup does not, the copy is all there is, and is backed up.

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
        guard row.inBackup, let version = try catalogue.storedVersion(of: row) else {
            file.content { $0.uploadWanted() }
            return catalogue.recordWork("Read.2", .needsUpload(row.id, due: currentTime()))
        }
        let status = try descriptor.status()
        guard Int64(status.st_size) == version.size,
            try await hasContent(descriptor, of: version, deadline: deadline)
        else { return try dropDamagedCopy(file, descriptor, row, stamp: stamp) }
        file.content { $0.copyCompared(.init(status)) }
        catalogue.record(
            "Read.2", .markMainCopy(row.id, inode: UInt64(status.st_ino), modified: Nanoseconds(status.st_mtim)))
    }

    /// Whether a file's content is the version's; false also if it cannot be read.
    func hasContent(
        _ copy: Descriptor, of version: Version, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool {
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

    /// `stamp` is the count of changes that the content was compared at: one that has been written since is kept.
    private func dropDamagedCopy(
        _ file: FileState, _ descriptor: Descriptor, _ row: Resource, stamp: Content<Descriptor>.Stamp
    ) throws(FileSystemError) {
        guard file.content({ $0.copyRefuted(at: stamp) }) else { return }
        try tree.setAside(descriptor, of: row, .damaged)
    }
}
