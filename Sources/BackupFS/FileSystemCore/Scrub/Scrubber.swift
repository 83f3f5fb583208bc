// Whether the bucket still holds what the catalogue says: its listing is compared with the versions that files live on, a
// page at a time. What the listing seems to say is asked for once more before anything is believed: an upload or a
// removal may have come between. Objects' lengths are compared, not their bytes.
//
// Versions are taken in bytewise order of their keys, which is the order of most stores' listings. One that a store lists
// elsewhere costs a HEAD of its own, and nothing else.

import Catalogue
import Foundation
import Linux
import Logging
import ObjectStorage

/// How far a comparison has come.
struct ScrubPosition: Codable, Sendable {
    /// The last key of the listing so far; nil at its beginning.
    var listed: String?
    /// All versions up to this key have been compared.
    var compared = ""
    /// Whether all of it is done.
    var isFinished = false
    /// What was found.
    var report: ObjectReport

    init(now: Date) { report = ObjectReport(startedAt: now) }
}

/// An object that a file lives on and that is not as it was stored.
private struct LostObject: Sendable {
    var version: Version
    var problem: ObjectReport.Finding.Problem
    var error: String
}

/// Compares the bucket with the catalogue, a page at a time.
final class Scrubber: StorageStep {
    let storages: Storages
    private let claim: PrefixClaim
    private let logger: Logger

    init(storages: Storages, claim: PrefixClaim, logger: Logger) {
        self.storages = storages
        self.claim = claim
        self.logger = logger
    }

    /// What is below it is BackupFS's own, and no version.
    private static let ownPrefix = ".backupfs/"

    /// Compares one page of the listing with the catalogue; returns what it found.
    ///
    /// If it throws, `position` says how much was done all the same.
    func comparePage(_ position: inout ScrubPosition) async throws(FileSystemError) -> [ObjectReport.Finding] {
        let deadline = settings.deadline(size: 0)
        try await claim.verify(deadline: deadline)
        let page = try await listing(after: position.listed, deadline: deadline)
        let theirs = page.filter { !$0.key.hasPrefix(Self.ownPrefix) }
        let sizes = Dictionary(theirs.map { ($0.key, $0.size) }) { _, last in last }
        // After the last page everything that is left of the catalogue should have been listed.
        let end = page.last.map(\.key) ?? StoredObject.afterEveryKey
        var findings: [ObjectReport.Finding] = []
        while position.compared < end {
            let start = position.compared
            let some = try await catalogue.ask(
                .storedObjects(after: start, through: end, limit: StoreHealth.rowsAtOnce))
            findings += try await compare(some, sizes, &position.report, deadline: deadline)
            position.compared = some.count < StoreHealth.rowsAtOnce ? end : some.last?.version.key ?? end
        }
        findings += try await unknownObjects(in: theirs, after: position.listed, &position.report, deadline: deadline)
        position.report.objects += theirs.count
        position.listed = page.last?.key
        position.isFinished = page.isEmpty
        if position.isFinished {
            try await BucketSweep(storages: storages, logger: logger).end()
            position.report.finishedAt = Date()
        }
        return findings
    }

    private func listing(
        after key: String?, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> [ListedObject] {
        do throws(ObjectStoreError) {
            let page = try await store.list(prefix: "", after: key, deadline: deadline)
            health.note(nil)
            return page
        } catch {
            if error.meansUnreachable { health.note(error) }
            throw .backup(error)
        }
    }

    /// Compares some versions with what the listing says of them.
    private func compare(
        _ objects: [StoredObject], _ sizes: [String: Int64], _ report: inout ObjectReport,
        deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> [ObjectReport.Finding] {
        let doubtful = objects.filter { sizes[$0.version.key] != $0.version.size }
        var lost: [LostObject] = []
        var back = objects.filter { !$0.inBackup && sizes[$0.version.key] == $0.version.size }
        let answers = await inParallel(doubtful, width: settings.backgroundTransfers) { [store] object in
            await Result { () async throws(ObjectStoreError) in
                try await store.head(object.version.key, deadline: deadline)
            }
        }
        for (object, answer) in zip(doubtful, answers) {
            let version = object.version
            switch answer {
            case .failure(let error): throw .backup(error)
            case .success(nil):
                lost.append(.init(version: version, problem: .missing, error: "backup lost the object \(version.key)"))
            case .success(let found?) where found.size != version.size:
                let error = "the object \(version.key) has \(found.size) bytes instead of \(version.size)"
                lost.append(.init(version: version, problem: .damaged, error: error))
            case .success:
                if !object.inBackup { back.append(object) }
            }
        }
        let returned = back.map(\.version)
        if !returned.isEmpty {
            try await catalogue.changeLater(.processCrash, .noteReturn(of: returned))
        }
        guard !lost.isEmpty else { return [] }
        // Another bucket than ours has none of our objects.
        try await claim.confirm(deadline: deadline)
        return try await note(lost, &report)
    }

    /// Rows tell the truth, and what main has is uploaded again.
    private func note(
        _ lost: [LostObject], _ report: inout ObjectReport
    ) async throws(FileSystemError) -> [ObjectReport.Finding] {
        var items: [FoundLoss] = []
        for object in lost {
            let id = object.version.resource
            let row = try catalogue.row(id)
            var copy = try tree.mainCopy(row) ?? nil
            if let found = copy,
                try await !mayBeUploaded(found, of: row, deadline: settings.deadline(size: row.size))
            {
                copy = nil
            }
            if let copy { try giveTime(to: copy, of: id) }
            items.append(FoundLoss(version: object.version, hasMainCopy: copy != nil, error: object.error))
        }
        let known = items
        let outcomes = try await catalogue.changeLater(.powerLoss, .noteLosses(known, now: currentTime()))
        var findings: [ObjectReport.Finding] = []
        for (object, outcome) in zip(lost, outcomes) {
            guard let outcome else { continue }
            if outcome.loss == .uploadedAgain {
                files.peek(object.version.resource)?.content { $0.uploadWanted() }
            }
            if object.problem == .missing { report.missing += 1 } else { report.damaged += 1 }
            logger.error(
                "an object is not in backup as it was stored",
                metadata: ["inode": "\(object.version.resource.rawValue)", "error": "\(object.error)"])
            findings.append(
                .init(
                    object: store.fullKey(object.version.key), problem: object.problem, key: displayPath(outcome.path),
                    action: outcome.loss == .uploadedAgain ? "uploaded again from main" : "no storage has the file"))
        }
        catalogue.work.wake()
        return findings
    }

    /// Gives a main copy that nobody has changed the time that its row has: a power cut may have taken it from main, and the
    /// upload takes main's for the file's.
    private func giveTime(to copy: Descriptor, of id: ResourceID) throws(FileSystemError) {
        let file = files.acquire(id)
        defer { files.release(file) }
        try file.contentGate.exclusive { () throws(FileSystemError) in
            let row = try catalogue.row(id)
            guard !row.needsUpload, !file.needsUpload else { return }
            try main.setAttributes(
                of: copy, mode: nil, uid: nil, gid: nil, accessed: nil, modified: row.modified.timespec)
        }
    }

    /// Takes in, after a restore, what the journal did not tell of; returns what is not ours.
    private func swept(_ keys: [String], deadline: ContinuousClock.Instant) async throws(FileSystemError) -> [String] {
        let sweep = BucketSweep(storages: storages, logger: logger)
        guard let start = try sweep.start() else { return keys }
        var foreign: [String] = []
        for key in keys where try await sweep.settle(key, from: start, deadline: deadline) == nil {
            foreign.append(key)
        }
        return foreign
    }

    /// Objects that are not ours, or not any more; they stay as they are.
    private func unknownObjects(
        in page: [ListedObject], after key: String?, _ report: inout ObjectReport, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> [ObjectReport.Finding] {
        let keys = page.map(\.key)
        let known = try await catalogue.ask(.knownKeys(keys))
        let unknown = keys.filter { !known.contains($0) }
        guard !unknown.isEmpty else { return [] }
        // One that was just removed, and its version forgotten, is not listed any more; one that is not, because others came
        // before it, is asked for.
        let still = Set(try await listing(after: key, deadline: deadline).map(\.key))
        var left = unknown.filter { still.contains($0) }
        for key in unknown where !still.contains(key) {
            do throws(ObjectStoreError) {
                if try await store.head(key, deadline: deadline) != nil { left.append(key) }
            } catch {
                throw .backup(error)
            }
        }
        left = try await swept(left, deadline: deadline)
        report.unknown += left.count
        if !left.isEmpty {
            logger.notice(
                "backup storage has objects that the catalogue does not know", metadata: ["count": "\(left.count)"])
        }
        return left.map { .init(object: store.fullKey($0), problem: .unknown, key: nil, action: "left as it is") }
    }
}
