// The journal from backup storage, for whoever has nothing else. What is read is the newest history that is whole: from a
// segment that tells everything, or the very first one, each segment names the one before it and the sum of its bytes. What
// has a gap before it, or was sent by an owner that another one has taken the backup over from, is not part of it.

import Catalogue
import Foundation
import ObjectStorage

/// Segments that lead from a base to a moment.
struct JournalHistory: Sendable {
    struct Segment: Sendable {
        var key: JournalKey
        var header: SegmentHeader
        var body: SegmentBody
    }

    /// The base first; none if nothing was ever sent.
    var segments: [Segment]
    /// What keeps later segments out, one line each; empty if nothing does.
    var gaps: [String]
    /// The SHA-256 of the last segment, as it was sent.
    var sum: [UInt8]
    /// The newest sending that is there, used or not; nil if none is.
    var newest: SegmentID?

    /// The last segment.
    var end: SegmentHeader? { segments.last?.header }
}

/// Why the journal cannot be read.
package enum JournalError: Error, Equatable {
    case store(ObjectStoreError)
    /// Only a newer BackupFS reads it.
    case newerFormat(Int64)
}

/// Reads the journal.
struct JournalReader: Sendable {
    let segments: SegmentStore
    /// How long one object may take.
    let patience: Duration

    /// The history up to the newest segment, or the newest that was written by `time`; nil if there is none that is whole.
    ///
    /// `excluding`: objects that were found to be damaged when they were read.
    func history(
        until time: Nanoseconds? = nil, excluding: Set<JournalKey> = []
    ) async throws(JournalError) -> JournalHistory? {
        // Whoever owns the backup may merge what is being read: then it is listed anew.
        for _ in 1...5 {
            var walk = Walk(listing: try await list())
            walk.excluded = excluding
            switch try await history(&walk, until: time) {
            case .found(let history): return history
            case .none: return nil
            case .changed: continue
            }
        }
        throw .store(.unreachable(reason: "the journal is being changed while it is read"))
    }

    private func list() async throws(JournalError) -> JournalListing {
        do throws(ObjectStoreError) {
            return try await JournalListing(segments.store, deadline: .now + patience)
        } catch {
            throw .store(error)
        }
    }

    /// What one walk has fetched and found so far.
    private struct Walk {
        var listing: JournalListing
        var excluded: Set<JournalKey> = []
        var fetched: [JournalKey: (segment: JournalHistory.Segment, sum: [UInt8])] = [:]
        var gaps: [String] = []
        /// An object was listed and is gone.
        var hasChanged = false
    }

    private enum Outcome {
        case found(JournalHistory)
        case none
        case changed
    }

    private func history(_ walk: inout Walk, until time: Nanoseconds?) async throws(JournalError) -> Outcome {
        if walk.listing.objects.isEmpty {
            return .found(JournalHistory(segments: [], gaps: [], sum: [], newest: nil))
        }
        for head in Set(walk.listing.objects.map(\.key.id)).sorted(by: >) {
            guard let last = try await fetch(head, &walk) else { continue }
            if let time, last.segment.header.time > time { continue }
            if let chain = try await chain(to: last.segment, &walk) {
                return .found(
                    JournalHistory(
                        segments: chain, gaps: walk.gaps, sum: last.segment.header.sealed ?? last.sum,
                        newest: walk.listing.objects.map(\.key.id).max()))
            }
            if walk.hasChanged { return .changed }
        }
        return walk.hasChanged ? .changed : .none
    }

    /// What leads to a segment; nil if something is missing before it.
    private func chain(
        to last: JournalHistory.Segment, _ walk: inout Walk
    ) async throws(JournalError) -> [JournalHistory.Segment]? {
        var chain = [last]
        var next = last.header.previous
        while let link = next {
            guard chain.count < 10_000 else { return nil }
            guard let (segment, sum) = try await fetch(link.id, &walk) else {
                walk.gaps.append("the segment \(link.id) is missing or damaged: what follows it is not used")
                return nil
            }
            guard (segment.header.sealed ?? sum) == link.sha256 else {
                walk.gaps.append(
                    "the segment \(link.id) is not the one that the next one names: what follows is not used")
                return nil
            }
            chain.append(segment)
            next = segment.header.previous
        }
        guard chain.last?.key.isBase == true else { return nil }
        return chain.reversed()
    }

    /// The widest good object that ends with a segment; nil if there is none.
    private func fetch(
        _ id: SegmentID, _ walk: inout Walk
    ) async throws(JournalError) -> (segment: JournalHistory.Segment, sum: [UInt8])? {
        let objects = walk.listing.objects.filter { $0.key.id == id }.sorted { $0.key.first < $1.key.first }
        for object in objects where !walk.excluded.contains(object.key) {
            if let known = walk.fetched[object.key] { return known }
            switch try await get(object.key, size: object.size) {
            case .gone: walk.hasChanged = true
            case .damaged(let reason):
                walk.excluded.insert(object.key)
                walk.gaps.append("\(object.key.key) is damaged: \(reason)")
            case .good(let body, let sum, let header):
                let segment = JournalHistory.Segment(key: object.key, header: header, body: body)
                walk.fetched[object.key] = (segment, sum)
                return (segment, sum)
            }
        }
        return nil
    }

    private enum Answer {
        case good(SegmentBody, sum: [UInt8], SegmentHeader)
        case damaged(String)
        case gone
    }

    private func get(_ key: JournalKey, size: Int64) async throws(JournalError) -> Answer {
        let found: (body: SegmentBody, sha256: [UInt8])
        do throws(ObjectStoreError) {
            guard let object = try await segments.get(key, size: size, deadline: .now + patience) else { return .gone }
            found = object
        } catch .corrupted(_, let reason) {
            return .damaged(reason)
        } catch {
            throw .store(error)
        }
        do throws(SegmentError) {
            let header = try SegmentReader(found.body).header
            guard header.id == key.id, header.first == key.first else {
                return .damaged("it is another segment than its key says")
            }
            return .good(found.body, sum: found.sha256, header)
        } catch {
            switch error {
            case .damaged: return .damaged("it is no segment of a journal")
            case .newerFormat(let format): throw .newerFormat(format)
            case .localFile(let code): throw .store(.localFile(errno: code))
            case .catalogue(let error): throw .store(.unreachable(reason: "\(error)"))
            }
        }
    }
}
