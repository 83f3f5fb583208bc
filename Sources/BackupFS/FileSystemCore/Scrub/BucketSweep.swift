// After a restore the bucket has objects that no segment told of. One that is newer than the journal's end is a content whose
// close may have returned: it is taken in. An older one is what a failed upload or an interrupted removal has left: it is kept
// for a week, and then goes. docs/BUCKET.md has the rule.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage

/// Settles what a restored catalogue does not know.
struct BucketSweep: StorageStep {
    /// How long what nobody needs is kept: a week, in nanoseconds.
    private static let orphanTime: Nanoseconds = 7 * 86_400 * 1_000_000_000

    let storages: Storages
    let logger: Logger

    /// From which moment on an object may be needed; nil if nothing was restored, or all was looked through.
    func start() throws(FileSystemError) -> ChangePoint? {
        try catalogue.setting(Setting.sweep).flatMap { ChangePoint($0) }
    }

    /// Settles one object that no row knows; what it came to, nil if it is not ours, or is gone.
    func settle(
        _ key: String, from start: ChangePoint, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> FoundObjectOutcome? {
        let summary: ObjectSummary?
        do throws(ObjectStoreError) { summary = try await store.head(key, deadline: deadline) } catch {
            throw .backup(error)
        }
        guard let summary, var object = FoundObject(key: key, summary) else { return nil }
        if object.version.sha256.isEmpty {
            guard let sha256 = try await checksum(of: object.version) else { return nil }
            object.version.sha256 = sha256
        }
        let now = currentTime()
        let isNeeded = object.version.point.map { $0 >= start } ?? false
        let outcome = try await catalogue.changeLater(
            .powerLoss,
            isNeeded
                ? .adopt(object, orphansUntil: now + Self.orphanTime, now: now)
                : .keepOrphan(object.version, until: now + Self.orphanTime, now: now))
        if case .orphan = outcome { return outcome }
        files.contentChanged(object.version.resource)
        logger.notice("a file that the journal did not tell of was taken in", metadata: ["key": "\(key)"])
        return outcome
    }

    /// The SHA-256 of an object that does not say it, because its upload began before its file was closed; nil if it is gone.
    private func checksum(of version: Version) async throws(FileSystemError) -> [UInt8]? {
        let staged = try main.createNameless("sweep")
        do throws(ObjectStoreError) {
            let received = try await store.get(
                version.key, into: staged.number, limit: version.size, deadline: settings.deadline(size: version.size))
            guard received.size == version.size else {
                throw .unreachable(reason: "\(version.key) ended before its end")
            }
            return received.sha256
        } catch .notFound {
            return nil
        } catch .localFile(let code) {
            throw .main(errno: code, during: "reading an object without a checksum")
        } catch {
            throw .backup(error)
        }
    }

    /// All of the bucket was looked through.
    func end() async throws(FileSystemError) {
        try await catalogue.changeLater(.powerLoss, .endSweep(now: currentTime()))
    }
}

extension FoundObject {
    /// nil if an object does not say that BackupFS made it.
    fileprivate init?(key: String, _ summary: ObjectSummary) {
        let metadata = summary.metadata
        guard let id = metadata["backupfs-id"].flatMap({ Int64($0) }), id > 1,
            let version = metadata["backupfs-version"], VersionID.isWellFormed(version)
        else { return nil }
        // An upload that began before its file was closed did not know it; one that is no checksum is not ours.
        var sha256: [UInt8] = []
        if let text = metadata["backupfs-sha256"] {
            guard let sum = bytes(hexadecimal: text), sum.count == 32 else { return nil }
            sha256 = sum
        }
        var found = Version(
            id: VersionID(version), resource: ResourceID(id), key: key, size: summary.size, sha256: sha256,
            state: .uploading)
        found.point = metadata["backupfs-seq"].flatMap { ChangePoint($0) }
        let path = metadata["backupfs-path"].map { text in
            bytes(percentEncoded: text).split(separator: UInt8(ascii: "/")).map { Array($0) }
        }
        let mode = metadata["mode"].flatMap { UInt32($0) } ?? 0o600
        let attributes = NewAttributes(
            mode: mode & 0o7777, uid: metadata["uid"].flatMap { UInt32($0) } ?? 0,
            gid: metadata["gid"].flatMap { UInt32($0) } ?? 0)
        self.init(
            version: found, path: path, attributes: attributes,
            modified: metadata["mtime"].flatMap { ObjectMetadata.nanoseconds($0) } ?? currentTime())
    }
}
