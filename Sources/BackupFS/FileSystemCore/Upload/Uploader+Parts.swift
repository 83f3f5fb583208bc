// Write.4 of a large file, in one pass: its parts are read, digested and sent one after the other, those that have travelled
// before the close not again. The version has its row before the store puts the parts together, as any other: until then there
// is nothing under its key. What does not work out leaves the whole work to the ordinary way.

import Catalogue
import Linux
import Logging
import ObjectStorage

extension Uploader {
    /// An upload in parts: true if it is committed, false if the content changed meanwhile; nil if there is none, or it came to
    /// nothing.
    ///
    /// `mayBegin`: one may begin now.
    func uploadByParts(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, _ uploads: EarlyUploads, mayBegin: Bool,
        deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool? {
        // From before what was sent is looked at: what changes after that is noticed.
        let (stamp, isQuiet) = file.content { ($0.stamp, $0.isQuiet) }
        let times = file.timeStamp
        let taken = file.watch(nil)
        var early = taken
        if let taken, await taken.take() == nil { early = nil }
        guard mayBegin, isQuiet else {
            early?.abandon()
            return nil
        }
        if early == nil { early = await beginAtClose(file, row, descriptor, uploads, deadline: deadline) }
        guard let early, let begun = early.begun else { return nil }
        do throws(FileSystemError) {
            let reading = try await sendRest(
                file, descriptor, early, begun, stamp: stamp, times: times, deadline: deadline)
            guard let reading else {
                early.abandon()
                return file.content { $0.stamp } == stamp ? nil : false
            }
            return try await conclude(file, row, descriptor, early, begun, reading, deadline: deadline)
        } catch {
            early.abandon()
            throw error
        }
    }

    /// A program waits for a large file, and nothing of it was sent yet.
    ///
    /// An attempt that goes on with a version takes the ordinary way: its key is known.
    private func beginAtClose(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, _ uploads: EarlyUploads,
        deadline: ContinuousClock.Instant
    ) async -> EarlyUpload? {
        do throws(FileSystemError) {
            guard file.content(\.hasWriters), try catalogue.begunUpload(row.id) == nil else { return nil }
            let size = Int64(try descriptor.status().st_size)
            return try await uploads.beginAtClose(file, size: size, deadline: deadline)
        } catch {
            logger.debug("a close could not begin an upload in parts", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Sends what is missing, or has changed since it was sent; nil if the content changed again, or that did not work.
    private func sendRest(
        _ file: FileState, _ descriptor: Descriptor, _ early: EarlyUpload, _ begun: EarlyUpload.Begun,
        stamp: Content<Descriptor>.Stamp, times: FileState.TimeStamp, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Reading? {
        let seen = MainCopy(try descriptor.status())
        let size = seen.size
        let count = Int((size + early.offer.partSize - 1) / early.offer.partSize)
        guard begun.source === descriptor, size >= early.offer.threshold, count <= early.offer.mostParts,
            early.parts({ $0.count <= count })
        else { return nil }
        let rest = PartsToSend(early: early, begun: begun, size: size, count: count)
        do throws(ObjectStoreError) {
            try refuseTooLarge(size)
            let sha256 = try await rest.send(deadline: deadline) { [catalogue] in
                file.content { $0.stamp } == stamp && !catalogue.work.isStopped
            }
            guard let sha256, file.content({ $0.stamp }) == stamp else { return nil }
            return Reading(
                source: descriptor, stamp: stamp, isSnapshot: false, size: size,
                digests: ContentDigests(sha256: sha256), seen: seen, times: times)
        } catch {
            logger.debug("an upload in parts did not work out", metadata: ["error": "\(error)"])
            if ContinuousClock.now >= deadline {
                health.note(error)
                throw .backup(error)
            }
            return nil
        }
    }

    /// All parts have arrived: the row, the object, the commit.
    private func conclude(
        _ file: FileState, _ row: Resource, _ descriptor: Descriptor, _ early: EarlyUpload,
        _ begun: EarlyUpload.Begun, _ reading: Reading, deadline: ContinuousClock.Instant
    ) async throws(FileSystemError) -> Bool? {
        guard hasKeptWrites(descriptor) else {
            early.abandon()
            throw try await dropUnwritten(file, row, descriptor)
        }
        var new = begun.version
        (new.size, new.sha256) = (reading.size, reading.digests.sha256)
        // Another mount may have claimed the backup meanwhile: then the moment that the object tells says nothing.
        guard try await claim.epoch(deadline: deadline).number == begun.point.epoch,
            let version = try await begin(new, deadline: deadline, isSameKey: { _ in false })
        else {
            early.abandon()
            return nil
        }
        let content = StreamedContent(
            count: Int((reading.size + early.offer.partSize - 1) / early.offer.partSize), length: reading.size,
            sha256: version.sha256)
        let delivery = try await deliver(file, row, version, reading) { isOnRecord throws(ObjectStoreError) in
            try await begun.stream.complete(content, after: isOnRecord, deadline: deadline)
        }
        switch delivery {
        case .committed:
            early.completed()
            return true
        case .changed:
            // The object is there, and the next attempt abandons its version.
            early.completed()
            return false
        case .failed(let failure):
            early.abandon()
            logger.debug("parts were not put together", metadata: ["error": "\(failure)"])
            if ContinuousClock.now >= deadline { throw .backup(failure) }
            // The ordinary way goes on with the version.
            return nil
        }
    }
}

/// The parts of a content that is sent now, as far as the store does not have them.
private struct PartsToSend: Sendable {
    let early: EarlyUpload
    let begun: EarlyUpload.Begun
    let size: Int64
    let count: Int

    /// SHA-256 of the content; nil if it is not `wanted` any more.
    ///
    /// Each part travels while the next ones are read.
    func send(
        deadline: ContinuousClock.Instant, wanted: @escaping @Sendable () -> Bool
    ) async throws(ObjectStoreError) -> [UInt8]? {
        let sound = early.parts(\.sound)
        let outcome = await withTaskGroup(of: ObjectStoreError?.self) { group in
            var failure: ObjectStoreError?
            var underWay = 0
            for number in 1...count where failure == nil {
                let part: StreamedPart?
                switch await read(number, isSound: sound.contains(number)) {
                case .success(let found): part = found
                case .failure(let error):
                    failure = error
                    continue
                }
                guard wanted(), deadline > .now else { break }
                guard let part else { continue }
                while underWay >= begun.stream.width, let ended = await group.next() {
                    underWay -= 1
                    failure = failure ?? ended
                }
                underWay += 1
                group.addTask { await send(number, part, deadline: deadline) }
            }
            if failure != nil || !wanted() { group.cancelAll() }
            for await ended in group {
                failure = failure ?? ended
                if failure != nil { group.cancelAll() }
            }
            return failure.map { Result<Void, ObjectStoreError>.failure($0) } ?? .success(())
        }
        try outcome.get()
        guard wanted() else { return nil }
        guard let sum = early.hashes.sha256(count: count) else {
            throw .deadlineExceeded(reason: "reading the file takes longer")
        }
        return sum
    }

    /// The part if it is to be sent, digested; nil if the store has it.
    private func read(_ number: Int, isSound: Bool) async -> Result<StreamedPart?, ObjectStoreError> {
        let hashes = early.hashes
        let offset = Int64(number - 1) * early.offer.partSize
        let length = min(early.offer.partSize, size - offset)
        if isSound, hashes.folded >= number { return .success(nil) }
        return await BulkWork.run { () throws(ObjectStoreError) in
            guard !isSound else {
                try hashes.fold(number, of: begun.source.number, length: length)
                return nil
            }
            let digests = try hashes.read(number, of: begun.source.number, length: length)
            return StreamedPart(
                descriptor: begun.source.number, offset: offset, length: length, digests: digests)
        }
    }

    private func send(
        _ number: Int, _ part: StreamedPart, deadline: ContinuousClock.Instant
    ) async -> ObjectStoreError? {
        do throws(ObjectStoreError) {
            try await begun.stream.send(number, part, deadline: deadline)
            return nil
        } catch {
            return error
        }
    }
}
