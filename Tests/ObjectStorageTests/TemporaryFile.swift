import Foundation
import Glibc
import ObjectStorage

/// A file without a name, and a directory with one: both are gone at the end of a test.
final class TemporaryFile {
    let descriptor: Int32

    init(_ bytes: [UInt8] = []) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID())").path
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0, unlink(path) == 0 else { throw ObjectStoreError.localFile(errno: errno) }
        try LocalFile(descriptor).write(bytes)
    }

    deinit { close(descriptor) }

    var contents: [UInt8] {
        get throws {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw ObjectStoreError.localFile(errno: errno) }
            return try LocalFile(descriptor).contents(length: Int64(status.st_size))
        }
    }

    /// The file as an object to store.
    func body(after barrier: WriteAheadBarrier? = nil) throws -> ObjectBody {
        let length = Int64(try contents.count)
        return .file(
            descriptor: descriptor, length: length,
            digests: try ContentDigests(ofFile: descriptor, length: length), after: barrier)
    }
}

extension LocalFile {
    func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0, at: 0) }
    }
}

final class TemporaryDirectory: Sendable {
    let url = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID())")
    var path: String { url.path }

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

extension ContinuousClock.Instant {
    /// A deadline that only a hanging test reaches.
    static var farAway: Self { .now + .seconds(600) }
    /// A deadline for a request that nobody will answer.
    static var soon: Self { .now + .milliseconds(300) }
}

/// Bytes that no two seeds have in common.
func sampleBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// Many bytes, fast: no mebibyte is like another one.
func largeBytes(_ count: Int) -> [UInt8] {
    let block = sampleBytes(1 << 20)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    var number = 0
    while bytes.count < count {
        bytes += block
        bytes[number << 20] = UInt8(number & 0xff)
        number += 1
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}
