// Small files are read at once, and larger ones refused: somebody may have named a disk or a video instead.

import Glibc

/// The bytes of a small regular file.
package enum SmallFile {
    /// Why there are none.
    package enum Failure: Error, Equatable {
        /// It could not be opened, with this errno.
        case notOpened(Int32)
        /// It is a directory or a device, or longer than allowed.
        case notSmall
        /// Others than its owner may read or write it.
        case notPrivate
        /// It could not be read, or was cut off meanwhile.
        case notRead
    }

    /// Reads a regular file of at most `longest` bytes; with `isPrivate` one that only its owner may use.
    package static func read(_ path: String, longest: Int, isPrivate: Bool = false) throws(Failure) -> [UInt8] {
        let file: Descriptor
        do throws(SystemError) {
            // O_NONBLOCK: a pipe in its place must not hang us.
            file = try Descriptor(taking: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), from: "open")
        } catch {
            throw .notOpened(error.code)
        }
        guard let status = try? file.readStatus(), status.st_mode & S_IFMT == S_IFREG, status.st_size <= longest else {
            throw .notSmall
        }
        guard !isPrivate || status.st_mode & 0o077 == 0 else { throw .notPrivate }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try file.readAll(limit: longest)
        } catch {
            throw error.code == EFBIG ? .notSmall : .notRead
        }
        guard bytes.count >= status.st_size else { throw .notRead }
        return bytes
    }
}

extension SmallFile.Failure: CustomStringConvertible {
    /// The end of a line for people, behind the file's name.
    package var description: String {
        switch self {
        case .notOpened(let code): errnoText(code)
        case .notSmall: "it is no small regular file"
        case .notPrivate: "others may read it: run chmod 600 on it"
        case .notRead: "it cannot be read"
        }
    }
}

extension Descriptor {
    /// All bytes from the descriptor's own offset to the end; throws EFBIG if there are more than `limit`.
    package func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read") }
            if count == 0 { return result }
            result += buffer[..<count]
            guard result.count <= limit else { throw SystemError("read", EFBIG) }
        }
    }
}
