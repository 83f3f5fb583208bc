import Glibc
import Linux
import ObjectStorage

/// Where an archive goes: a file, or a pipe that somebody reads slowly.
struct TarOutput: Sendable {
    private static let piece = 1 << 20
    /// An archive ends with two blocks of zeros, and in whole records.
    private static let record = 20 * TarMember.block

    private let file: Descriptor
    private var position: Int64 = 0

    init(_ file: Descriptor) { self.file = file }

    /// Writes a member; `content` has as many bytes as its header says.
    mutating func write(_ member: TarMember, _ content: Descriptor?) async throws(RestoreError) {
        let (header, size) = (member.header, content == nil ? 0 : member.size)
        let padding = TarMember.padding(size)
        try await run { [file] () throws(RestoreError) in
            try Self.write(header, to: file)
            if let content { try Self.copy(content, size, to: file) }
            try Self.write(padding, to: file)
        }
        position += Int64(header.count) + size + Int64(padding.count)
    }

    /// Ends the archive.
    mutating func finish() async throws(RestoreError) {
        let least = 2 * TarMember.block
        let rest = (Int(position % Int64(Self.record)) + least) % Self.record
        let zeros = [UInt8](repeating: 0, count: least + (rest == 0 ? 0 : Self.record - rest))
        try await run { [file] () throws(RestoreError) in
            try Self.write(zeros, to: file)
            // A pipe has no disk.
            guard fsync(file.number) == 0 || errno == EINVAL || errno == EROFS else { throw .archive(errno: errno) }
        }
        position += Int64(zeros.count)
    }

    /// Runs it on a thread that may wait.
    private func run(
        _ body: @escaping @Sendable () throws(RestoreError) -> Void
    ) async throws(RestoreError) {
        try await BulkWork.run { () throws(RestoreError) in try body() }.get()
    }

    private static func copy(_ content: Descriptor, _ size: Int64, to file: Descriptor) throws(RestoreError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(size, Int64(piece))), alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while offset < size {
            let some = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(size - offset, Int64(piece)))])
            let count: Int
            do throws(ObjectStoreError) {
                count = try LocalFile(content.number).read(at: offset, into: some)
            } catch {
                throw .store(error)
            }
            // It was as long when it was compared.
            guard count == some.count else { throw .archive(errno: EIO) }
            try write(UnsafeRawBufferPointer(some), to: file)
            offset += Int64(count)
        }
    }

    private static func write(_ bytes: [UInt8], to file: Descriptor) throws(RestoreError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(RestoreError) in try write(buffer, to: file) }
        }
        try result.get()
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to file: Descriptor) throws(RestoreError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(file.number, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // Somebody made the pipe so that it does not wait: this thread waits instead.
                var ready = pollfd(fd: file.number, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, 1000)
                continue
            }
            guard count > 0 else { throw .archive(errno: count == 0 ? EIO : errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
