// Large files that are written in order are sent while they are written: the close has little left to send. Nothing here is
// promised to anybody. Whatever goes wrong, the close does the whole work.

import Catalogue
import Glibc
import Linux
import Logging
import ObjectStorage
import Synchronization

/// Sends parts of files that are being written.
final class EarlyUploads: StorageStep {
    private struct State {
        var underWay = 0
        /// Who has something to do and no slot.
        var waiting: [ObjectIdentifier: (FileState, EarlyUpload)] = [:]
    }

    /// How many parts of one file are under way at once.
    private static let partsOfOneFile = 4

    let storages: Storages
    private let claim: PrefixClaim
    private let logger: Logger
    /// Guards the slots; held for no call out of this file.
    private let state = Mutex(State())

    init(storages: Storages, claim: PrefixClaim, logger: Logger) {
        self.storages = storages
        self.claim = claim
        self.logger = logger
    }

    // MARK: What happens to files

    /// The file is empty: what is written to it now may be sent early.
    func emptied(_ file: FileState) {
        guard settings.sendsEarly, let offer = store.streaming else { return }
        file.watch(EarlyUpload(offer, width: Self.partsOfOneFile, ahead: catalogue.uploadsAhead))?.abandon()
    }

    /// Bytes were written.
    func wrote(_ file: FileState, _ range: Range<Int64>) {
        guard let early = file.early else { return }
        let hasStep = early.parts { parts in
            parts.wrote(range)
            return parts.hasStep
        }
        if hasStep { pump(file, early) }
    }

    /// The file has another length.
    func resized(_ file: FileState, to size: Int64) {
        guard let early = file.early else { return }
        early.parts { $0.resized(to: size) }
        if early.parts(\.isGivenUp) { early.abandon() }
    }

    // MARK: The work

    /// Starts what can be done now.
    private func pump(_ file: FileState, _ early: EarlyUpload) {
        while early.parts(\.hasStep), takeSlot(file, early) {
            guard let step = early.parts({ $0.next() }) else { return freeSlot() }
            early.start(step) { [self] in
                switch step {
                case .begin: await begin(file, early)
                case .read(let number): await send(number, file, early)
                }
                freeSlot()
                pump(file, early)
            }
        }
        if early.parts(\.isGivenUp) { early.abandon() }
    }

    /// Asks the store to begin an upload in parts.
    private func begin(_ file: FileState, _ early: EarlyUpload) async {
        let deadline = settings.deadline(size: early.offer.partSize)
        do throws(FileSystemError) {
            guard health.isAnswering, let begun = try await begin(early, file, deadline: deadline) else {
                return early.parts { $0.giveUp() }
            }
            _ = early.began(begun)
        } catch {
            logger.debug("an upload could not begin before the close", metadata: ["error": "\(error)"])
            catalogue.uploadsAhead.end(early)
            early.parts { $0.giveUp() }
        }
    }

    /// Begins an upload of a large file that is being closed; nil if the store offers none, or the file is small.
    func beginAtClose(
        _ file: FileState, size: Int64, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> EarlyUpload? {
        guard let offer = store.streaming, size >= offer.threshold, health.isAnswering else { return nil }
        let early = EarlyUpload(offer, width: 1, ahead: catalogue.uploadsAhead)
        do throws(FileSystemError) {
            guard let begun = try await begin(early, file, deadline: deadline) else { return nil }
            early.beganAtClose(begun)
            return early
        } catch {
            catalogue.uploadsAhead.end(early)
            throw error
        }
    }

    /// The upload's version, and the way to send it; nil if the file is not there any more.
    private func begin(
        _ early: EarlyUpload, _ file: FileState, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> EarlyUpload.Begun? {
        let row = try catalogue.row(file.id)
        guard isWanted(row), let source = file.descriptor, let path = try catalogue.path(of: row.id) else { return nil }
        let epoch = try await claim.epoch(deadline: deadline)
        // First what the journal may tell of at most, and then when it begins: a segment that is read in between tells of an
        // earlier moment than the object does.
        let newest = try catalogue.newestJournalEntry()
        catalogue.uploadsAhead.begin(early, at: ChangePoint(epoch: epoch.number, change: newest))
        let point = ChangePoint(epoch: epoch.number, change: try catalogue.newestJournalEntry())
        let id = VersionID(now: currentTime())
        var version = Version(
            id: id, resource: row.id, key: ObjectKey.make(path: path, version: id, limit: store.longestKey), size: 0,
            sha256: [], state: .uploading)
        version.point = point
        let modified = MainCopy(try source.status()).modified
        let stream: (any PartStream)?
        do throws(ObjectStoreError) {
            stream = try await store.beginStream(
                version.key,
                ObjectMetadata.make(row, path: path, version: version, modified: modified, file: source.number),
                deadline: deadline)
        } catch {
            throw .backup(error)
        }
        guard let stream else {
            catalogue.uploadsAhead.end(early)
            return nil
        }
        pass("upload.early")
        return EarlyUpload.Begun(version: version, point: point, stream: stream, source: source)
    }

    private func isWanted(_ row: Resource) -> Bool {
        row.kind == .file && row.status != .deleted && !catalogue.work.isStopped
    }

    /// Reads a part and sends it.
    private func send(_ number: Int, _ file: FileState, _ early: EarlyUpload) async {
        guard let begun = early.begun, health.isAnswering, let row = try? catalogue.row(file.id), isWanted(row) else {
            return early.parts { parts in
                parts.partFailed(number)
                parts.giveUp()
            }
        }
        let length = early.offer.partSize
        let deadline = settings.deadline(size: length)
        do throws(ObjectStoreError) {
            let digests = try await BulkWork.run { () throws(ObjectStoreError) in
                try early.hashes.read(number, of: begun.source.number, length: length)
            }.get()
            guard early.parts({ $0.partRead(number) }) else { return }
            // The next one is read while this one travels.
            pump(file, early)
            let part = StreamedPart(
                descriptor: begun.source.number, offset: Int64(number - 1) * length, length: length, digests: digests)
            try await begun.stream.send(number, part, deadline: deadline)
            early.parts { $0.partSent(number) }
            pass("upload.early.part")
        } catch {
            logger.debug("a part could not be sent before the close", metadata: ["error": "\(error)"])
            early.parts { $0.partFailed(number) }
        }
    }

    // MARK: Slots

    private func takeSlot(_ file: FileState, _ early: EarlyUpload) -> Bool {
        state.withLock { state in
            guard state.underWay < settings.backgroundTransfers else {
                state.waiting[ObjectIdentifier(early)] = (file, early)
                return false
            }
            state.underWay += 1
            return true
        }
    }

    private func freeSlot() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            state.underWay -= 1
            return state.waiting.values.map(\.self)
        }
        for (file, early) in waiting { pump(file, early) }
    }
}
