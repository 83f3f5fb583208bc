// The journal: what changed in the catalogue, as self-contained records, so that the bucket alone can rebuild it. A
// record states what is true now (an upsert or a removal), not what was done: applying a segment twice, or applying an
// overtaken one before its successor, gives the same catalogue. The format is documented in docs/ARCHITECTURE.md.

import CZlib
import Foundation

/// One line of a segment: the state of one entity.
package enum JournalRecord: Sendable, Equatable {
    case resource(ResourceRecord)
    case erasedResource(id: Int64)
    case name(parent: Int64, name: [UInt8], resource: Int64)
    case removedName(parent: Int64, name: [UInt8])
    case xattr(resource: Int64, name: String, value: [UInt8])
    case removedXattr(resource: Int64, name: String)

    /// A resource with the version that backup holds.
    package struct ResourceRecord: Sendable, Equatable, Codable {
        package var id: Int64
        package var kind: String
        package var status: String
        package var mode: UInt32
        package var uid: UInt32
        package var gid: UInt32
        package var size: Int64
        package var accessed: Int64
        package var modified: Int64
        package var changed: Int64
        package var createdAt: Int64
        package var deletedAt: Int64?
        package var target: Data?
        package var device: UInt64?
        package var version: String?
        package var key: String?
        package var sha256: Data?
    }
}

/// The outbox up to `through`, as records.
package struct JournalBatch: Sendable, Equatable {
    /// The outbox's last sequence number that the records cover.
    package var through: Int64
    package var records: [JournalRecord]
}

/// A segment of the journal as it is stored: gzip over JSON lines.
package enum JournalSegment {
    fileprivate struct Line: Codable {
        var entity: String
        var removed: Bool?
        var owner: Int64?
        var name: Data?
        var resource: Int64?
        var attribute: String?
        var value: Data?
        var state: JournalRecord.ResourceRecord?
    }

    /// A segment that can be decoded no further.
    package struct Damaged: Error, Equatable {
        package init() {}
    }

    /// The segment's bytes.
    package static func encode(_ records: [JournalRecord]) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var text: [UInt8] = []
        for record in records {
            // Numbers, strings and data cannot fail to encode.
            guard let line = try? encoder.encode(Line(record)) else { continue }
            text += line
            text.append(UInt8(ascii: "\n"))
        }
        return gzip(text)
    }

    /// The records of a segment; `limit` bounds the decompressed bytes.
    package static func decode(_ segment: [UInt8], limit: Int = 1 << 30) throws(Damaged) -> [JournalRecord] {
        var records: [JournalRecord] = []
        for line in try gunzip(segment, limit: limit).split(separator: UInt8(ascii: "\n")) {
            guard let decoded = try? JSONDecoder().decode(Line.self, from: Data(line)), let record = decoded.record
            else { throw Damaged() }
            records.append(record)
        }
        return records
    }

    private static func gzip(_ input: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        backupfs_gzip_deflate_init(&stream)
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(input.count))) + 32)
        var input = input
        let written = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                deflate(&stream, Z_FINISH)
                return target.count - Int(stream.avail_out)
            }
        }
        return Array(output[..<written])
    }

    static func gunzip(_ input: [UInt8], limit: Int) throws(Damaged) -> [UInt8] {
        var stream = z_stream()
        backupfs_gzip_inflate_init(&stream)
        defer { inflateEnd(&stream) }
        var output: [UInt8] = []
        var input = input
        var chunk = [UInt8](repeating: 0, count: 256 * 1024)
        let isComplete = input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            while true {
                let (status, count) = chunk.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    let status = inflate(&stream, Z_NO_FLUSH)
                    return (status, target.count - Int(stream.avail_out))
                }
                output += chunk[..<count]
                if status == Z_STREAM_END { return output.count <= limit }
                if status != Z_OK || output.count > limit { return false }
            }
        }
        guard isComplete else { throw Damaged() }
        return output
    }
}

extension JournalSegment.Line {
    fileprivate init(_ record: JournalRecord) {
        switch record {
        case .resource(let state): self.init(entity: "resource", state: state)
        case .erasedResource(let id): self.init(entity: "resource", removed: true, resource: id)
        case .name(let parent, let name, let resource):
            self.init(entity: "name", owner: parent, name: Data(name), resource: resource)
        case .removedName(let parent, let name):
            self.init(entity: "name", removed: true, owner: parent, name: Data(name))
        case .xattr(let resource, let name, let value):
            self.init(entity: "xattr", owner: resource, attribute: name, value: Data(value))
        case .removedXattr(let resource, let name):
            self.init(entity: "xattr", removed: true, owner: resource, attribute: name)
        }
    }

    fileprivate var record: JournalRecord? {
        switch (entity, removed ?? false) {
        case ("resource", false): return state.map { .resource($0) }
        case ("resource", true): return resource.map { .erasedResource(id: $0) }
        case ("name", false):
            guard let owner, let name, let resource else { return nil }
            return .name(parent: owner, name: [UInt8](name), resource: resource)
        case ("name", true):
            guard let owner, let name else { return nil }
            return .removedName(parent: owner, name: [UInt8](name))
        case ("xattr", false):
            guard let owner, let attribute, let value else { return nil }
            return .xattr(resource: owner, name: attribute, value: [UInt8](value))
        case ("xattr", true):
            guard let owner, let attribute else { return nil }
            return .removedXattr(resource: owner, name: attribute)
        default: return nil
        }
    }
}
