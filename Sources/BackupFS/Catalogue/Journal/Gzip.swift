// gzip (RFC 1952) as a stream, so that a segment of a million records needs no memory for them.

import CZlib

/// Packs bytes as they come.
final class GzipEncoder {
    private var stream = z_stream()
    private var chunk = [UInt8](repeating: 0, count: 64 * 1024)

    init() { backupfs_gzip_deflate_init(&stream) }
    deinit { deflateEnd(&stream) }

    /// Packs `input` and appends what is ready to `output`.
    func add(_ input: [UInt8], to output: inout [UInt8]) { run(input, Z_NO_FLUSH, &output) }

    /// Appends what is left; nothing can be added after that.
    func finish(_ output: inout [UInt8]) { run([], Z_FINISH, &output) }

    private func run(_ input: [UInt8], _ flush: Int32, _ output: inout [UInt8]) {
        var input = input
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            // All is taken, and given, when there is room left.
            repeat {
                let count = chunk.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    deflate(&stream, flush)
                    return target.count - Int(stream.avail_out)
                }
                output += chunk[..<count]
            } while stream.avail_out == 0
        }
    }
}

/// Unpacks bytes as they come.
final class GzipDecoder {
    private var stream = z_stream()
    /// Whether the end has come; what follows it does not belong to it.
    private(set) var isFinished = false

    init() { backupfs_gzip_inflate_init(&stream) }
    deinit { inflateEnd(&stream) }

    /// Unpacks `input` and appends it to `output`.
    func add(_ input: ArraySlice<UInt8>, to output: inout [UInt8]) throws(SegmentError) {
        guard !isFinished || input.isEmpty else { throw .damaged }
        var input = Array(input)
        var chunk = [UInt8](repeating: 0, count: 256 * 1024)
        let isGood = input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            while stream.avail_in > 0 || stream.avail_out == 0 {
                let (status, count) = chunk.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    let status = inflate(&stream, Z_NO_FLUSH)
                    return (status, target.count - Int(stream.avail_out))
                }
                output += chunk[..<count]
                if status == Z_STREAM_END {
                    isFinished = true
                    return stream.avail_in == 0
                }
                if status == Z_BUF_ERROR { return true }
                guard status == Z_OK else { return false }
            }
            return true
        }
        guard isGood else { throw .damaged }
    }
}
